"""A service account's key file, whose token service is a test's server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.oauth2.service_account import Credentials

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def use_key(monkeypatch: pytest.MonkeyPatch, folder: Path, token_uri: str) -> None:
    """Writes a key and names it in the environment, as the SDK expects it."""
    made = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    file = folder / "key.json"
    account = {
        "type": "service_account",
        "client_email": "a@b",
        "token_uri": token_uri,
        "private_key": made.decode(),
    }
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    # With a token, newer SDKs ask Google in the background for its allowed locations.
    asks = "_is_regional_access_boundary_lookup_required"
    monkeypatch.setattr(Credentials, asks, lambda _: False, raising=False)

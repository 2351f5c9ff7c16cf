"""The identity that requests have, as findings for ``statebucket doctor``."""

from __future__ import annotations

from typing import Any

from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy

ANONYMOUS = Finding(check="identity", status="note", message="no credentials are sent")
"""The finding for anonymous requests."""

_UNNAMED = "default"  # the account of a metadata server that has not named it yet


def service_account(email: str) -> Finding:
    """The finding for a service account."""
    return Finding(check="identity", status="ok", message=f"serviceAccount:{email}")


def unknown(message: str) -> Finding:
    """The finding for an identity that is not known.

    Args:
        message: Why not.
    """
    return Finding(
        check="identity",
        status="unknown",
        message=message,
        remedy=Remedy(command="gcloud auth list"),
    )


def identity_of(credentials: Any) -> Finding:  # noqa: ANN401  (google-auth has many kinds)
    """The finding for google-auth credentials, except anonymous ones."""
    email = getattr(credentials, "service_account_email", None)
    if email and email != _UNNAMED:
        return service_account(email)
    if person := getattr(credentials, "account", ""):
        return Finding(
            check="identity",
            status="note",
            message=f"user:{person}: a person's rights, which a function's may differ from",
        )
    kind = type(credentials)
    return unknown(f"{kind.__module__}.{kind.__name__} does not say whose credentials they are")

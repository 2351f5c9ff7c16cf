"""AWS Signature Version 4, for the headers of a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """A key that requests are signed with."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, …)"


class Signer:
    """Signs requests to one service; it keeps the key of the day.

    Args:
        service: The service's name in the scope, "s3" for S3.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._kept: tuple[tuple[str, str, str], hmac.HMAC] | None = None

    def authorization(
        self,
        credentials: Credentials,
        region: str,
        moment: str,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        payload: str,
    ) -> str:
        """The ``Authorization`` header of a request.

        Args:
            credentials: The key.
            region: The region of the scope.
            moment: When it is signed, as in the header ``x-amz-date``; see `timestamp`.
            method: The HTTP method.
            path: The path, percent-encoded; empty stands for "/".
            query: The query, percent-encoded, its parameters sorted.
            headers: The headers to sign, ``host`` among them, names in lower case.
            payload: The hexadecimal SHA-256 of the body, or what stands for it.
        """
        names = sorted(headers)
        signed = ";".join(names)
        lines = "\n".join([f"{name}:{' '.join(headers[name].split())}" for name in names])
        canonical = f"{method}\n{path or '/'}\n{query}\n{lines}\n\n{signed}\n{payload}"
        day = moment[:8]
        scope = f"{day}/{region}/{self._service}/aws4_request"
        digest = sha256(canonical.encode()).hexdigest()
        mac = self._mac(credentials.secret_access_key, day, region).copy()
        mac.update(f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}".encode())
        return (
            f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
            f"SignedHeaders={signed}, Signature={mac.hexdigest()}"
        )

    def _mac(self, secret: str, day: str, region: str) -> hmac.HMAC:
        """What the key of the day signs with, to be copied: that costs half of making it."""
        kept = self._kept  # one pair, so that threads see both or neither
        if kept is not None and kept[0] == (secret, day, region):
            return kept[1]
        key = f"AWS4{secret}".encode()
        for part in (day, region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        mac = hmac.new(key, digestmod="sha256")
        self._kept = ((secret, day, region), mac)
        return mac


def timestamp(seconds: float) -> str:
    """A moment as requests are dated: ``20261123T010000Z``."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))

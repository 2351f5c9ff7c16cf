"""AWS Signature Version 4, for the headers of a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import time
from binascii import b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING

from statebucket.port.bucket import Confidential
from statebucket_http.signing import HeaderForms, SecondClock, SigningKey
from statebucket_s3.http.checksums import checksum_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket_http.wire import Endpoint, Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = sha256(b"").hexdigest()
_UNSIGNED = "UNSIGNED-PAYLOAD"


class Credentials(Confidential, frozen=True):
    """A key that requests are signed with.

    Attributes:
        access_key_id: Its public part.
        secret_access_key: Its secret part.
        session_token: What is sent with a temporary key.
        ends: When it expires, in seconds since the epoch; infinite for a static key.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    ends: float = float("inf")

    def same(self, other: Credentials) -> bool:
        """Whether another is the same key, even if its expiry differs."""
        return (self.access_key_id, self.secret_access_key, self.session_token) == (
            other.access_key_id,
            other.secret_access_key,
            other.session_token,
        )

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, …)"


class Signer:
    """Signs requests to one service; it caches the day's signing key.

    Args:
        service: The service's name in the scope, "s3" for S3.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._kept: _DayKey | None = None  # replaced whole, so that threads see one or the other
        self._forms = HeaderForms()

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
            moment: The time of signing, as in the header ``x-amz-date``; see `timestamp`.
            method: The HTTP method.
            path: The path, percent-encoded; empty stands for "/".
            query: The query, percent-encoded, its parameters sorted.
            headers: The headers to sign, ``host`` among them, names in lower case.
            payload: The hexadecimal SHA-256 of the body, or its replacement.
        """
        form = self._forms.of(headers)
        signed = form.names
        lines = form.lines % form.values(headers)
        if " " in lines or "\t" in lines:
            trimmed = {name: " ".join(value.split()) for name, value in headers.items()}
            lines = form.lines % form.values(trimmed)
        canonical = f"{method}\n{path or '/'}\n{query}\n{lines}\n\n{signed}\n{payload}"
        kept = self._kept
        secret, day = credentials.secret_access_key, moment[:8]
        if kept is None or kept.secret != secret or kept.day != day or kept.region != region:
            kept = self._kept = _DayKey.of(secret, day, region, self._service)
        digest = sha256(canonical.encode()).hexdigest()
        signature = kept.key.sign(f"{_ALGORITHM}\n{moment}\n{kept.scope}\n{digest}".encode()).hex()
        return (
            f"{_ALGORITHM} Credential={credentials.access_key_id}/{kept.scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )


class _DayKey(Confidential, frozen=True):
    """A day's signing key, and its scope."""

    secret: str
    day: str
    region: str
    scope: str
    key: SigningKey

    @classmethod
    def of(cls, secret: str, day: str, region: str, service: str) -> _DayKey:
        """A day's signing key."""
        key = f"AWS4{secret}".encode()
        for part in (day, region, service, "aws4_request"):
            key = SigningKey(key).sign(part.encode())
        return cls(secret, day, region, f"{day}/{region}/{service}/aws4_request", SigningKey(key))

    def __repr__(self) -> str:
        return f"_DayKey({self.scope!r}, …)"


class S3Signer:
    """Adds authentication to a request's headers."""

    def __init__(self) -> None:
        self._signer = Signer("s3")
        self._clock = SecondClock(timestamp)

    def headers(
        self, endpoint: Endpoint, request: Request, credentials: Credentials
    ) -> dict[str, str]:
        """All headers of a request.

        The body is signed if nothing else protects it. Over TLS it is not signed: there its CRC-32,
        which S3 compares and keeps, detects errors on the way. It takes a twentieth of the time of
        the SHA-256.
        """
        body, more = request.body, request.more
        headers = {
            **request.headers,
            "host": endpoint.host,
            "x-amz-date": self._clock.now(),
        }
        if body:
            headers["x-amz-sdk-checksum-algorithm"] = "CRC32"  # some services go by this
            digest = b2a_base64(checksum_of(body, more), newline=False)
            headers["x-amz-checksum-crc32"] = digest.decode()
        if endpoint.scheme == "https":
            payload = _UNSIGNED
        elif body:
            hashed = sha256(body)
            for part in more:
                hashed.update(part)
            payload = hashed.hexdigest()
        else:
            payload = _EMPTY
        headers["x-amz-content-sha256"] = payload
        if credentials.session_token is not None:
            headers["x-amz-security-token"] = credentials.session_token
        headers["authorization"] = self._signer.authorization(
            credentials,
            endpoint.region,
            headers["x-amz-date"],
            method=request.method,
            path=endpoint.path + request.path,
            query=request.query,
            headers=headers,
            payload=payload,
        )
        return headers


def timestamp(seconds: float) -> str:
    """A time in the form that requests carry: ``20261123T010000Z``."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))

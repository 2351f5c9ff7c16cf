"""The checksums that Cloud Storage keeps: CRC32C of every body, MD5 if one request wrote it.

CRC32C takes google-crc32c, which the SDK installs; in Python alone it would take a second for 10
MiB. If only an MD5 can be computed, that is sent and compared instead.
"""

from __future__ import annotations

from binascii import b2a_base64
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def field_of(body: bytes) -> dict[str, str]:
    """A body's checksum for the object's description, which the service compares."""
    crc32c = _crc32c()
    return {"md5Hash": _md5(body)} if crc32c is None else {"crc32c": crc32c(body)}


def altered(body: bytes, crc32c: str | None, md5: str | None) -> str:
    """The name of a body's checksum that does not match; empty if all known ones do.

    Args:
        body: The body.
        crc32c: Its CRC32C, as the service gives it; None if it does not.
        md5: Its MD5, as the service gives it; None if it does not.
    """
    compute = _crc32c()
    if crc32c is not None and compute is not None:
        return "" if compute(body) == crc32c else "CRC32C"
    return "" if md5 is None or _md5(body) == md5 else "MD5"


@cache
def _crc32c() -> Callable[[bytes], str] | None:
    """How to compute a CRC32C; None if that would be slow."""
    try:
        from google_crc32c import implementation, value  # noqa: PLC0415  (6 ms)
    except ImportError:
        return None
    if implementation != "c":
        return None
    return lambda body: _base64(value(body).to_bytes(4, "big"))


def _md5(body: bytes) -> str:
    from hashlib import md5  # noqa: PLC0415  (only where CRC32C is missing)

    return _base64(md5(body, usedforsecurity=False).digest())


def _base64(digest: bytes) -> str:
    return b2a_base64(digest, newline=False).decode()

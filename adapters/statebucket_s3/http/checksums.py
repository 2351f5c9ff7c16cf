"""The CRC-32 that S3 compares and keeps, of large bodies by zlib-ng where it is installed."""

from __future__ import annotations

from binascii import crc32
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Bytes. zlib-ng takes 3 ms to import, and then a quarter of binascii's time, or less.
_LARGE = 32 * 1024


def checksum_of(body: bytes, more: Sequence[bytes] = ()) -> bytes:
    """The CRC-32 of a body and of what follows it, in S3's order of bytes."""
    compute = crc32 if len(body) < _LARGE else _fastest()
    checksum = compute(body, 0)
    for part in more:
        checksum = crc32(part, checksum)
    return checksum.to_bytes(4, "big")


@cache
def _fastest() -> Callable[[bytes, int], int]:
    """The fastest of the installed ways to compute it."""
    try:
        from zlib_ng import zlib_ng  # noqa: PLC0415  (for large bodies only)
    except ImportError:
        return crc32
    return zlib_ng.crc32

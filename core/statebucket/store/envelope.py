"""What is written beside an object's value, and how it is read.

* metadata ``writeid``: a random id of the write, which tells a lost reply from a lost race;
* metadata ``expiresat``: the moment of expiry, in milliseconds since the epoch;
* metadata ``tail``: how many bytes at the end of the body are a nonce, where the service's
  versions are hashes of the body; white space where the body is JSON, so that it still parses;
* metadata ``kept``: that a sweep must keep the key's execution although it has no snapshot;
* metadata ``format``: the layout's number; if absent it is 1, the only one so far.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeVar

import msgspec

from statebucket.contract.versions import Stored
from statebucket.errors import CorruptObject, shown
from statebucket.port.bucket import JSON, Object, ObjectInfo, Write
from statebucket.port.expiry import LAST_MS, from_ms

if TYPE_CHECKING:
    from statebucket.port.expiry import Expiry

T = TypeVar("T")

MAX_DIGITS = 18
_FORMAT = "1"
_LARGE = 32 * 1024  # bytes; from here a copy costs more than sending the nonce separately
_BLANKS = [bytes(four) for four in product(b" \t\n\r", repeat=4)]  # one for each byte


class Found(msgspec.Struct, frozen=True):
    """A live object as it was read.

    Attributes:
        info: The object's name, version and metadata, as the service returned them.
        body: Its value: the body, or a view of it without the nonce, so that nothing is copied.
    """

    info: ObjectInfo
    body: bytes | memoryview


def sealed(
    name: str,
    body: bytes,
    content_type: str,
    *,
    expiry: Expiry | None,
    write_id: str,
    nonce: bool,
    takes_tail: bool = False,
    kept: bool = False,
) -> Write:
    """A value with what is written beside it.

    Args:
        name: The object.
        body: Its value.
        content_type: Its media type.
        expiry: When it expires.
        write_id: The id of this write.
        nonce: Whether the body ends in a nonce, for a service whose versions are hashes of it.
        takes_tail: Whether the adapter stores a nonce that is not part of the body.
        kept: Whether a sweep must keep the key's execution.
    """
    metadata = {"writeid": write_id}
    if kept:
        metadata["kept"] = "1"
    if expiry is not None:
        metadata["expiresat"] = str(expiry.at_ms)
    tail = b""
    if nonce:
        tail = _nonce(write_id, content_type)
        metadata["tail"] = str(len(tail))
        if not takes_tail or len(body) < _LARGE:
            body, tail = body + tail, b""
    return Write(name, body, content_type, metadata, expiry, tail)


def expires_ms(info: ObjectInfo) -> int | None:
    """When an object expires, in milliseconds since the epoch; None if it does not.

    Raises:
        CorruptObject: Its ``expiresat`` is not a number, or is after the year 9999.
    """
    text = info.metadata.get("expiresat")
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS:
        at_ms = int(text)
        if at_ms <= LAST_MS:
            return at_ms
    raise CorruptObject(f"its expiresat is not a time: {shown(text)}", object_name=info.name)


def is_kept(info: ObjectInfo) -> bool:
    """Whether a key is marked so that a sweep keeps its execution."""
    return "kept" in info.metadata


def value_of(found: Object) -> bytes | memoryview:
    """An object's value: its body, or a view of it without the nonce.

    Raises:
        CorruptObject: It is of a later format, or shorter than its nonce.
    """
    metadata = found.info.metadata
    number = metadata.get("format", _FORMAT)
    if number != _FORMAT:
        raise CorruptObject(
            f"written in format {shown(number)} by a later release of statebucket; this one reads "
            f"only {_FORMAT}: update statebucket",
            object_name=found.info.name,
        )
    size = value_size(found.info, len(found.body) + len(found.tail))
    return found.body if size == len(found.body) else memoryview(found.body + found.tail)[:size]


def value_size(info: ObjectInfo, stored: int) -> int:
    """The size of an object's value in bytes, given the size of its stored body.

    Raises:
        CorruptObject: Its ``tail`` is not a number, or is longer than the body.
    """
    tail = info.metadata.get("tail", "0")
    if not tail.isascii() or not tail.isdecimal() or len(tail) > MAX_DIGITS or int(tail) > stored:
        raise CorruptObject(
            f"the object is truncated: {stored} bytes, but its metadata says that its nonce has "
            f"{shown(tail)}",
            object_name=info.name,
        )
    return stored - int(tail)


def stored(found: Found, value: T) -> Stored[T]:
    """A decoded value with its object's version, expiry and size."""
    at_ms = expires_ms(found.info)
    return Stored(
        value=value,
        version=found.info.version,
        expires_at=None if at_ms is None else from_ms(at_ms),
        size=len(found.body),
    )


def _nonce(write_id: str, content_type: str) -> bytes:
    """Bytes in which no other write's body ends; white space where the body is JSON."""
    raw = bytes.fromhex(write_id)
    if content_type != JSON:
        return raw
    return b"".join(map(_BLANKS.__getitem__, raw))

"""Ids and keys as segments of an object name, and the form of a key that belongs to an execution.

Each id or key is one path segment. ASCII letters, digits, ``-``, ``_`` and a ``.`` that is neither
first nor last are kept as they are; every other byte of the UTF-8 form is ``~`` and two capital hex
digits. The form is reversible and free of collisions, and no segment can be ``.`` or ``..`` or
contain a ``/``, so that an id cannot leave its prefix.
"""

from __future__ import annotations

import re

from statebucket.errors import InvalidKey, awaiting, shown

PLAIN = r"(?!\.)[A-Za-z0-9._-]+(?<!\.)"
"""The expression of the ids and keys that are their own segment."""

_DOT = ord(".")
_KEEP = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ESCAPED = r"~([0-9A-F]{2})"

EXECUTION_KEY = "exec:"
"""How the keys that belong to an execution begin."""


def encode(text: str, *, what: str = "key") -> str:
    """Returns ``text`` as one segment of an object name.

    Args:
        text: An id or key.
        what: What it is, for the error message.

    Raises:
        InvalidKey: It is not a string, is empty, or contains a lone surrogate.
    """
    if type(text) is str and _is_plain(text):
        return text
    if not isinstance(text, str):
        raise InvalidKey(
            f"{what} must be a string, not {type(text).__name__}: {shown(text)}{awaiting(text)}"
        )
    text = str.__str__(text)  # a subclass of str may format as something else
    if _is_plain(text):
        return text
    if not text:
        raise InvalidKey(f"{what} must not be empty")
    raw = _utf8(text, what)
    return _escaped(raw, last=len(raw) - 1)


def beginnings(text: str, *, what: str = "prefix") -> list[str]:
    """What the segments of all texts that start with ``text`` start with, in order.

    Normally one prefix, but two where ``text`` ends in ``.``, which is kept within a segment and
    escaped at its end. Segments with such a prefix are either ones that `encode` writes for these
    texts or ones that it never writes.

    Args:
        text: What the texts begin with; may be empty.
        what: What it is, for the error message.

    Raises:
        InvalidKey: It is not a string, or holds a lone surrogate.
    """
    if not isinstance(text, str):
        raise InvalidKey(
            f"{what} must be a string, not {type(text).__name__}: {shown(text)}{awaiting(text)}"
        )
    raw = _utf8(str.__str__(text), what)
    continued = _escaped(raw, last=len(raw))  # its last byte is not the last of the segment
    return [continued, f"{continued[:-1]}~2E"] if continued.endswith(".") else [continued]


def _is_plain(text: str) -> bool:
    """Whether a text stands for itself. Without `re`: to compile it takes .2 ms of a cold start."""
    if not text.isascii():
        return False
    if text.replace("-", "").replace("_", "").isalnum():  # as most are
        return True
    inner = text[:1] != "." and text[-1:] != "."
    return bool(text) and inner and not text.encode().translate(None, _KEEP + b".")


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidKey(
            f"{what} contains a lone surrogate, which has no UTF-8 form: {shown(text)}"
        ) from None


def _escaped(raw: bytes, *, last: int) -> str:
    return "".join(
        chr(byte) if byte in _KEEP or (byte == _DOT and 0 < at < last) else f"~{byte:02X}"
        for at, byte in enumerate(raw)
    )


def decode(segment: str) -> str | None:
    """Returns the id or key that ``segment`` stands for, or None if `encode` never writes it."""
    if _is_plain(segment):
        return segment
    try:
        raw = re.sub(_ESCAPED, lambda m: chr(int(m[1], 16)), segment)
        text = raw.encode("latin-1").decode()
    except UnicodeError:
        return None
    return text if text and encode(text) == segment else None


def id_below(folder: str, prefix: str) -> str | None:
    """The id whose segment, with its closing slash, makes ``prefix`` of ``folder``, or None."""
    if not (prefix.startswith(folder) and prefix.endswith("/")):
        return None
    return decode(prefix[len(folder) : -1])


def encode_execution(execution_id: str) -> str:
    """Returns an execution id as a segment.

    Raises:
        InvalidKey: It is empty, or not a string.
    """
    return encode(execution_id, what="execution id")


def check_text_form(operation: str, execution_id: str) -> None:
    """Checks that the keys of an execution can be written as ``exec:{execution_id}:{rest}``.

    Args:
        operation: The public call, for the error.
        execution_id: The execution.

    Raises:
        InvalidKey: It is empty, not a string, or contains a ``:``, which ends the id in that form.
    """
    encode_execution(execution_id)
    if ":" in execution_id:
        raise InvalidKey(
            f"{operation}: the id {shown(execution_id)} contains a ':', which ends the id in keys "
            f"of the form exec:ID:KEY; list its keys with store.execution(…).{operation}()"
        )


def execution_key(execution_id: str, rest: str) -> str:
    """The key, as callers write it, of ``rest`` under an execution."""
    return f"{EXECUTION_KEY}{str.__str__(execution_id)}:{rest}"

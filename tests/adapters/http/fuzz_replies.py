"""Coverage-guided fuzzing of the reply reader: run by hand for an hour, not in the suite.

Any bytes, split anywhere, are the same reply or refused. atheris is no dependency of the project.
From ``tests/``, with the inputs that reach new code kept in ``corpus``::

    uv venv fuzzing && uv pip install --python fuzzing/bin/python atheris msgspec
    PYTHONPATH=.:../core:../adapters fuzzing/bin/python -m adapters.http.fuzz_replies corpus \\
        -max_len=4096 -max_total_time=3600

A finding becomes a case of ``test_reply.py``.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BODY = 1000
FIRST_READ = 16 * 1024  # a body that came with its head, before anyone asked how long it is
MAX_REPLIES = 4
MAX_SINGLE = 300  # bytes that are read one by one, too


def check(data: bytes) -> None:
    """Reads replies from these bytes, in one piece and in several.

    Args:
        data: The first byte says which replies have no body and the second how many pieces there
            are; as many say how long each is, and the rest is what comes from the peer.

    Raises:
        AssertionError: How the bytes are split makes a difference, or what was read before.
    """
    bodiless, count = (data + b"\0\0")[:2]
    received = data[2 + count :]
    pieces = list(split(received, data[2 : 2 + count]))
    first = read(new_reader(), [received] if received else [], bodiless)
    used = new_reader()
    for number in range(MAX_REPLIES):
        rest = pieces.copy()
        reply = read(used, pieces, bodiless >> number)
        assert reply == read(new_reader(), rest, bodiless >> number)
        assert number or reply == first
        if reply is None or not used.reusable:
            break
    if len(received) <= MAX_SINGLE:
        check_end(received, bodiless)


def check_end(received: bytes, bodiless: int) -> None:
    """Reads a reply byte by byte and in one piece: what comes after it spoils the connection."""
    one, whole = new_reader(), new_reader()
    rest = [bytes([byte]) for byte in received]
    reply = read(one, rest, bodiless)
    assert reply == read(whole, [received] if received else [], bodiless)
    if reply is not None:
        assert whole.reusable == (one.reusable and not rest)


def split(received: bytes, sizes: bytes) -> Iterator[bytes]:
    """The pieces of what comes from the peer; none is empty."""
    at = 0
    for size in sizes:
        if at < len(received):
            yield received[at : at + size + 1]
        at += size + 1
    if at < len(received):
        yield received[at:]


def new_reader() -> Any:
    return importlib.import_module("statebucket_http.reply").ReplyReader(MAX_BODY)


def read(reader: Any, pieces: list[bytes], bodiless: int) -> Any:
    """The next reply; None if it is refused. What it takes of the pieces is removed."""
    bad_reply = importlib.import_module("statebucket_http.head").BadReply
    reader.begin(bodiless=bool(bodiless & 1))
    try:
        while True:
            if not pieces:
                reader.end()
                break
            piece = pieces.pop(0)
            with reader.target() as target:
                count = min(len(target), len(piece))
                assert count, "no room for what comes"
                target[:count] = piece[:count]
            if piece[count:]:
                pieces.insert(0, piece[count:])
            if reader.advance(count):
                break
    except bad_reply:
        return None
    assert len(reader.reply.body) <= MAX_BODY + FIRST_READ
    return reader.reply


if __name__ == "__main__":
    atheris = importlib.import_module("atheris")
    atheris.enabled_hooks.add("RegEx")
    with atheris.instrument_imports(include=["statebucket_http"]):
        new_reader()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()

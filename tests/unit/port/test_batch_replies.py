"""Replies to batches, valid and invalid ones."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket.port.batch_replies import Part, parts

KIND = "multipart/mixed; boundary=of_parts"
GOOGLES = b"""--of_parts\r
Content-Type: application/http\r
Content-ID: <response-1>\r
\r
HTTP/1.1 404 Not Found\r
Content-Type: application/json\r
Retry-After: 7\r
\r
{"error": "HTTP/1.1 204"}\r
\r
--of_parts\r
Content-Type: application/http\r
Content-ID: <response-0>\r
\r
HTTP/1.1 204 No Content\r
Content-Length: 0\r
\r
\r
--of_parts--\r
"""
MICROSOFTS = GOOGLES.replace(b"<response-1>", b"1").replace(b"<response-0>", b"0")
EMULATORS = b"".join(
    line
    for line in GOOGLES.splitlines(keepends=True)
    if not line.startswith(b"Content-ID") and line != b"\r\n"
).replace(b"7\r\n", b"7\r\n\r\n")

MISSING = {"content-type": "application/json", "retry-after": "7"}


@pytest.mark.parametrize("body", [GOOGLES, MICROSOFTS])
def test_each_part_has_its_number(body: bytes) -> None:
    first, second = parts(KIND, body)
    assert first == Part(1, 404, MISSING, b'{"error": "HTTP/1.1 204"}\r\n')
    assert second == Part(0, 204, {}, b"")


def test_without_numbers_the_order_is_kept() -> None:
    first, second = parts(KIND, EMULATORS)
    assert (first.number, first.status, first.headers) == (None, 404, MISSING)
    assert (second.number, second.status) == (None, 204)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", GOOGLES),
        ("text/html", b"<html>"),
        ("multipart/mixed", GOOGLES),
        ("multipart/mixed; boundary=", GOOGLES),
        ("multipart/mixed; boundary=another", GOOGLES),
        (KIND, b""),
        (KIND, GOOGLES[:-6]),  # the end is cut off
        (KIND, GOOGLES[:200]),
        (KIND, GOOGLES.replace(b"1.1 204 No", b"1.1 2o4 No")),
        (KIND, GOOGLES.replace(b"1.1 204 No", b"1.1  20 No")),
        (KIND, GOOGLES.replace(b"1.1 204 No", b"1.1 100 No")),
        (KIND, GOOGLES.replace(b"1.1 204 No", b"2 204 No")),
    ],
)
def test_what_is_none_or_not_whole_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(parts(kind, body))


@given(st.binary() | st.binary().map(lambda noise: GOOGLES.replace(b"404 Not Found", noise)))
def test_any_bytes_are_parts_or_refused(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        for part in parts(KIND, body):
            assert isinstance(part.status, int)

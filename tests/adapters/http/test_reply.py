"""Where a reply ends, however its bytes arrive; any bytes are a reply or a `BadReply`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket_http.head import MAX_HEAD, BadReply
from statebucket_http.reply import ReplyReader
from statebucket_http.wire import Reply

MOST = 1000
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def read(
    *pieces: bytes, bodiless: bool = False, most: int = MOST, tail_header: str = ""
) -> tuple[Reply, bool] | None:
    """The reply and whether its connection is reusable; None if it has not ended yet.

    An empty piece is the connection's end.
    """
    reader = ReplyReader(most)
    reader.begin(bodiless=bodiless, tail_header=tail_header)
    for piece in pieces:
        rest = piece
        if not piece:
            reader.end()
            return finished(reader)
        while rest:
            target = reader.target()
            assert len(target)
            count = min(len(target), len(rest))
            target[:count] = rest[:count]
            target.release()
            if reader.advance(count):
                if rest[count:] or piece is not pieces[-1]:
                    reader.reusable = False  # as the connection's owner finds out
                return finished(reader)
            rest = rest[count:]
    return None


def finished(reader: ReplyReader) -> tuple[Reply, bool]:
    assert reader.reply is not None
    return reader.reply, reader.reusable


def whole(data: bytes, *, bodiless: bool = False) -> tuple[bytes, bool]:
    """The body of a reply that comes in one piece, and whether its connection is reusable."""
    found = read(data, bodiless=bodiless)
    assert found is not None
    return found[0].body, found[1]


REPLIES = {
    "length": HEAD + b"Content-Length: 5\r\n\r\nvalue",
    "empty": HEAD + b"Content-Length: 0\r\n\r\n",
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "chunked": CHUNKED + b"2\r\nva\r\n3;x=y\r\nlue\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"5\r\nvalue\r\n00\r\nx-sum: 1\r\ny: 2\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + HEAD
    + b"Content-Length: 5\r\n\r\nvalue",
    "error": b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nvalue",
    "large": HEAD + b"Content-Length: 900\r\n\r\n" + bytes(range(90)) * 10,
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_may_be_split_at_every_byte(name: str) -> None:
    data = REPLIES[name]
    expected = read(data)
    assert expected is not None
    assert expected[1]
    for at in range(1, len(data)):
        assert read(data[:at], data[at:]) == expected
        assert read(data[:at]) is None
    assert read(*(bytes([byte]) for byte in data)) == expected


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_that_is_cut_short_is_none(name: str) -> None:
    data = REPLIES[name]
    for at in range(len(data)):
        with pytest.raises(BadReply):
            read(*filter(None, [data[:at]]), b"")


def test_bodies() -> None:
    assert {name: whole(data) for name, data in REPLIES.items() if name != "large"} == {
        "length": (b"value", True),
        "empty": (b"", True),
        "no body": (b"", True),
        "not modified": (b"", True),
        "chunked": (b"value", True),
        "trailers": (b"value", True),
        "interim": (b"value", True),
        "error": (b"value", True),
    }
    assert whole(HEAD + b"Content-Length: 5\r\n\r\n", bodiless=True) == (b"", True)
    assert whole(CHUNKED, bodiless=True) == (b"", True)


def test_a_body_of_no_told_length_ends_with_the_connection() -> None:
    found = read(HEAD + b"\r\nva", b"lue", b"")
    assert found == (Reply(200, {}, b"value", framed=False), False)
    found = read(REPLIES["length"])
    assert found is not None
    assert found[0].framed


@pytest.mark.parametrize("name", ["length", "empty", "no body", "chunked", "trailers"])
def test_what_comes_after_a_reply_spoils_the_connection(name: str) -> None:
    body = whole(REPLIES[name])[0]
    assert whole(REPLIES[name] + b"H") == (body, False)
    assert whole(REPLIES[name] + REPLIES["error"]) == (body, False)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        HEAD + b"Content-Length: 1001\r\n\r\n",
        HEAD + b"\r\n" + bytes(1001),
        CHUNKED + b"3e9\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b" 1\r\nv\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"+1\r\n",
        CHUNKED + b"0x1\r\nv\r\n",
        CHUNKED + b"1_0\r\n",
        CHUNKED + b"1 1\r\n",
        CHUNKED + b"1;a\nb\r\nv\r\n",
        CHUNKED + b"1111111111111111\r\n",
        CHUNKED + b"1\r\nvv\r\n",
        CHUNKED + b"1;" + b"x" * 5000,
        CHUNKED + b"0\r\n" + b"x: y\r\n" * 20000,
        HEAD + b"x: " + b"y" * MAX_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
        b"\r\n\r\n",
        b"<html>\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n",
    ],
)
def test_what_is_no_reply_or_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(BadReply):
        read(data)


def test_a_head_may_be_long() -> None:
    fields = b"".join(b"x-amz-meta-%d: %s\r\n" % (number, b"v" * 1000) for number in range(60))
    data = HEAD + fields + b"Content-Length: 2\r\n\r\nok"
    found = read(data)
    assert found is not None
    assert (found[0].body, len(found[0].headers)) == (b"ok", 61)
    reader = ReplyReader(MOST)
    for _ in range(2):
        reader.begin(bodiless=False)
        assert len(reader.target()) <= MAX_HEAD  # the room of one long head is not kept


def test_a_long_body_grows_as_it_comes() -> None:
    length = 3 * 2**20 + 5
    reader = ReplyReader(2**40)
    reader.begin(bodiless=False)
    head = HEAD + b"Content-Length: %d\r\n\r\n" % 2**40
    with reader.target() as target:
        target[: len(head)] = head
    assert not reader.advance(len(head))
    assert len(reader.target()) <= 2**20  # not the TiB that the peer tells
    pieces = [bytes([number % 256]) * 1000 for number in range(length // 1000 + 1)]
    data = b"".join(pieces)[:length]
    found = read(HEAD + b"Content-Length: %d\r\n\r\n" % length, data, most=2**40)
    assert found is not None
    assert found[0].body == data


@given(
    st.one_of(st.integers(0, 905).map(str), st.sampled_from(["-1", "x", "", "٣", "9" * 5000])),
    st.integers(1, 899),
    st.sampled_from(["x-tail", "x-other", ""]),
)
def test_the_end_of_a_body_comes_apart_where_a_header_says_how_long_it_is(
    told: str, at: int, asked: str
) -> None:
    body = bytes(range(90)) * 10
    head = HEAD + b"X-Tail: %b\r\nContent-Length: 900\r\n\r\n" % told.encode()
    found = read(head + body[:at], body[at:], tail_header=asked)
    assert found is not None
    reply, reusable = found
    assert reusable
    assert reply.body + reply.tail == body
    known = asked == "x-tail" and told.isascii() and told.isdecimal() and len(told) < 4
    assert len(reply.tail) == (min(int(told), 900) if known else 0)


heads = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 3",
            b"Content-Length: 03",
            b"content-length:4",
            b"Transfer-Encoding: chunked",
            b"Connection: close",
            b"Server: x",
            b"bad line",
            b"a:\xff",
            b": v",
        ]
    ),
    max_size=4,
)
firsts = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 204 -",
        b"HTTP/1.1 304 -",
        b"HTTP/1.1 503 -",
    ]
)
bodies = st.one_of(
    st.binary(max_size=30),
    st.lists(st.sampled_from([b"3\r\nabc\r\n", b"0\r\n", b"\r\n", b"x: y\r\n", b"f"])).map(
        b"".join
    ),
)
likely = st.builds(
    lambda first, fields, body: b"\r\n".join([first, *fields]) + b"\r\n\r\n" + body,
    firsts,
    heads,
    bodies,
)
streams = st.lists(st.one_of(likely, st.binary(max_size=200)), max_size=3).map(b"".join)


@given(streams, st.lists(st.integers(1, 40), max_size=30), st.booleans())
def test_any_bytes_are_a_reply_or_none(data: bytes, cuts: list[int], bodiless: bool) -> None:  # noqa: FBT001
    def outcome(*pieces: bytes) -> object:
        try:
            return read(*pieces, b"", bodiless=bodiless)
        except BadReply as error:
            return type(error)

    pieces, at = [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    pieces.append(data[at:])
    in_one, in_pieces = outcome(*filter(None, [data])), outcome(*filter(None, pieces))
    if isinstance(in_one, tuple) and isinstance(in_pieces, tuple):
        assert in_one[0] == in_pieces[0]
    else:
        assert in_one == in_pieces


@given(st.binary(max_size=MOST), st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_what_is_sent_in_chunks_arrives(body: bytes, sizes: list[int]) -> None:
    chunks, at = b"", 0
    for size in [*sizes, MOST]:
        piece = body[at : at + size]
        at += size
        if piece:
            chunks += b"%x\r\n%s\r\n" % (len(piece), piece)
    assert whole(CHUNKED + chunks + b"0\r\n\r\n") == (body, True)

"""How heads are read and written, and which are refused."""

from __future__ import annotations

import pytest

from statebucket import errors
from statebucket_http.head import BadReply, Head, read_head, write_head


def read(*lines: str, first: str = "HTTP/1.1 200 OK") -> Head:
    return read_head("\r\n".join([first, *lines]).encode("latin-1"))


def test_names_are_lower_case_and_values_as_they_were_sent() -> None:
    for _ in range(2):  # the second is read by the names that the first has learned
        head = read("Content-Length: 3", 'ETag: "A b"', "X-Amz-Meta-A:b", "Empty:", "Tab:\tx \t")
        assert head.fields == {
            "content-length": "3",
            "etag": '"A b"',
            "x-amz-meta-a": "b",
            "empty": "",
            "tab": "x",
        }
        assert (head.status, head.length, head.chunked, head.persists) == (200, 3, False, True)


@pytest.mark.parametrize("value", ["0 ", " 0", "0\t"])
def test_blanks_around_a_value_are_no_part_of_it(value: str) -> None:
    assert read("Content-Length: " + value).length == 0
    assert read("Content-Length: " + value, "A: b").length == 0


@pytest.mark.parametrize(
    "first",
    [
        "HTTP/1.1 200",
        "HTTP/1.1 200 ",
        "HTTP/1.1 200 Caf\xe9",
        "HTTP/1.0 200 OK",
        "HTTP/1.1 999 -",
    ],
)
def test_first_lines_of_http_1(first: str) -> None:
    assert read(first=first).status in {200, 999}


@pytest.mark.parametrize(
    "first",
    [
        "",
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 099 -",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 ²00 OK",
        "HTTP/2 200 OK",
        "HTTP/1.2 200 OK",
        "http/1.1 200 OK",
        " HTTP/1.1 200 OK",
        "ICY 200 OK",
        "SSH-2.0-OpenSSH_9",
    ],
)
def test_other_first_lines_are_no_reply(first: str) -> None:
    with pytest.raises(BadReply):
        read(first=first)


@pytest.mark.parametrize(
    "line",
    [
        "no colon",
        ": no name",
        "na me: v",
        "name : v",
        " folded: v",
        "\tfolded",
        "n\xe4me: v",
        "name: a\x00b",
        "name: a\rb",
        "name: a\nb",
        "name: a\x7fb",
        "",
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_a_line_that_is_no_field_makes_no_reply(line: str, *, known: bool) -> None:
    with pytest.raises(BadReply):
        read(*(["Server: x"] if known else []), line)


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 1", "Content-Length: 2"),
        ("Content-Length: 1", "content-length: 01"),
        ("Content-Length: 1, 1",),
        ("Content-Length: -1",),
        ("Content-Length: +1",),
        ("Content-Length: 1_0",),
        ("Content-Length: ٣",),
        ("Content-Length: 0x10",),
        ("Content-Length:",),
        ("Content-Length: 9999999999999999999",),
        ("Content-Length: 1", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: identity",),
    ],
)
def test_an_ambiguous_end_makes_no_reply(lines: tuple[str, ...]) -> None:
    with pytest.raises(BadReply):
        read_head("\r\n".join(["HTTP/1.1 200 OK", *lines]).encode("utf-8"))


def test_what_comes_twice_without_harm_is_no_error() -> None:
    head = read("Server: a", "Server: a", "Content-Length: 1", "content-length: 1")
    assert head.fields == {"server": "a", "content-length": "1"}


def test_what_comes_in_several_lines_is_joined() -> None:
    lines = ("X-Hash: crc32c=a", "ETag: e", "x-hash: md5=b")
    for _ in range(2):  # the second time each name is known
        assert read(*lines).fields == {"x-hash": "crc32c=a, md5=b", "etag": "e"}


def test_a_value_that_is_not_ascii_is_left_out() -> None:
    assert read("X-Name: J\xfcrgen", "ETag: e").fields == {"etag": "e"}


@pytest.mark.parametrize(
    ("first", "lines", "persists"),
    [
        ("HTTP/1.1 200 OK", (), True),
        ("HTTP/1.1 200 OK", ("Connection: close",), False),
        ("HTTP/1.1 200 OK", ("Connection: Keep-Alive, Close",), False),
        ("HTTP/1.1 200 OK", ("Connection: x", "Connection: close"), False),
        ("HTTP/1.1 200 OK", ("Connection: close", "Connection: keep-alive"), False),
        ("HTTP/1.1 200 OK", ("Connection: keep-alive",), True),
        ("HTTP/1.0 200 OK", (), False),
        ("HTTP/1.0 200 OK", ("Connection: keep-alive",), True),
    ],
)
def test_whether_the_connection_stays_open(
    first: str, lines: tuple[str, ...], *, persists: bool
) -> None:
    assert read(*lines, first=first).persists is persists


def test_a_request_is_written_as_it_was_signed() -> None:
    raw = write_head("PUT", "/b/k?x=%20", {"host": "h:1", "x-amz-meta-a": "b  c"}, 5)
    assert raw == (
        b"PUT /b/k?x=%20 HTTP/1.1\r\nhost: h:1\r\nx-amz-meta-a: b  c\r\n"
        b"content-length: 5\r\nuser-agent: statebucket\r\n\r\n"
    )
    assert b"content-length" not in write_head("GET", "/", {}, None)


@pytest.mark.parametrize(
    "value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\x7f", "ä", "\ud800", "\t"]
)
@pytest.mark.parametrize("known", [False, True])
def test_a_value_that_would_end_its_line_is_not_sent_and_not_shown(
    value: str, *, known: bool
) -> None:
    if known:
        write_head("GET", "/", {"x-token": "fine"}, None)
    with pytest.raises(errors.RequestRejected, match="header 'x-token'") as told:
        write_head("GET", "/", {"x-token": f"secret{value}"}, None)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "a\r\nb", "ä", "Content-Length", "transfer-encoding", "connection"]
)
def test_a_name_that_is_none_is_not_sent(name: str) -> None:
    with pytest.raises(errors.RequestRejected, match="header name"):
        write_head("GET", "/", {name: "v"}, None)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/a b"),
        ("GET", "/a\r\nHost: x"),
        ("GET", "/ä"),
        ("GET", "/\x7f"),
        ("G ET", "/"),
        ("GET\r\n", "/"),
        ("", "/"),
    ],
)
def test_a_first_line_with_more_than_its_parts_is_not_sent(method: str, target: str) -> None:
    with pytest.raises(errors.RequestRejected, match="method or path"):
        write_head(method, target, {}, None)

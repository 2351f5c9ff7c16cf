"""The entries of a page are read as an XML parser reads them, or left to it."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statebucket_http.xml_entries import read_entries
from support.selection import examples

WANTED = {"Name", "Props/Etag", "Meta"}
ENOUGH = 50  # entries, so that an expression is worth it
PLAIN = "<E><Name>n</Name><Props><Etag>1</Etag><Type/></Props><Meta><a>1</a></Meta></E>"
TAGGED = "<E><Name>n</Name><Props><Etag>1</Etag><Tags>2</Tags></Props><Meta><b>1</b></Meta></E>"


def page(*entries: str, gap: str = "", head: str = "<R><List>") -> bytes:
    """A page of these entries, again and again."""
    many = gap.join(entries * (ENOUGH // len(entries) + 1))
    return f"{head}{gap}{many}{gap}</List><Next>t</Next></R>".encode()


def texts(entry: Element) -> dict[str, str]:
    """What is wanted of an entry, as a parser has it."""
    found = {}
    for folder, path in ((".", "Name"), ("Props", "Etag")):
        element = entry.find(f"{folder}/{path}")
        if element is not None:
            found[path if folder == "." else f"{folder}/{path}"] = element.text or ""
    for element in entry.findall("Meta"):
        found |= {f"Meta/{one.tag}": one.text or "" for one in element}
        break
    return found


def read(body: bytes) -> list[dict[str, str]] | None:
    """What is read of a page without a parser; the place of its entries is held to be theirs."""
    found = read_entries(body, "E", WANTED)
    if found is None:
        return None
    root = fromstring(found.rest)
    if [len(one) for one in root.iterfind("List/E")] != [0]:
        return None
    return [
        {key: text for key, text in zip(group.keys, row, strict=True) if key != "Meta"}
        for group in found.groups
        for row in group.rows
    ]


def parsed(body: bytes) -> list[dict[str, str]]:
    """The same by the parser."""
    return [texts(entry) for entry in fromstring(body).iterfind("List/E")]


@pytest.mark.parametrize(
    "body",
    [
        page(PLAIN),
        page(PLAIN, gap="\n  "),
        page(PLAIN.replace("><", ">\n\t<")),
        page(PLAIN, TAGGED),
        page(PLAIN.replace("<a>1</a>", ""), TAGGED),
        page(PLAIN.replace("<Meta><a>1</a></Meta>", "<Meta />"), PLAIN),
        page(PLAIN.replace(">1<", ">&quot;1&quot;<"), PLAIN.replace(">1<", ">&#34;1&#34;<")),
        page(PLAIN, head="\ufeff<?xml version='1.0' encoding='utf-8'?><R><Prefix>é</Prefix><List>"),
    ],
)
def test_entries_of_one_form_or_a_few_are_read_as_the_parser_reads_them(body: bytes) -> None:
    assert read(body) == parsed(body)


@pytest.mark.parametrize(
    "entry",
    [
        "<E><Name Encoded='true'>n</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>a&amp;b</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>é</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>a\rb</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>a]]>b</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>a\x01b</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name><![CDATA[n]]></Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>n<!-- --></Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>n</Name><Name>m</Name><Props><Etag>1</Etag></Props></E>",
        "<E><Name>n</Name><Props/><Props><Etag>1</Etag></Props></E>",
        "<E><Name>n</Name><Props><Etag>1</Etag></Props><Meta><a/></Meta></E>",
        "<E><Name>n</Name><Props><Etag>1</Etag></Props><Meta><a><b/></a></Meta></E>",
        "<E><Name>n</Name><Props><Etag>1</Props></Etag></E>",
        "<E><Name>n</Name><Props><Etag>1</Etag></Props></E></E>",
        "<E><Name>n</Name></E>",
        "<E>n</E>",
    ],
)
def test_what_only_a_parser_can_read_is_left_to_it(entry: str) -> None:
    assert read_entries(page(entry), "E", WANTED) is None
    assert read_entries(page(PLAIN, entry), "E", WANTED) is None


@pytest.mark.parametrize(("begin", "end"), [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?a ", "?>")])
def test_entries_that_a_parser_does_not_see_are_none(begin: str, end: str) -> None:
    body = page(PLAIN).replace(b"<List>", f"<List>{begin}".encode())
    body = body.replace(b"</List>", f"{end}</List>".encode())
    assert (read(body), parsed(body)) == (None, [])


@pytest.mark.parametrize("beside", ["<Next>t</Next>", "<E/>", "<Next/>"])
def test_what_stands_beside_entries_is_left_to_the_parser(beside: str) -> None:
    assert read_entries(page(PLAIN, f"{beside}{PLAIN}"), "E", WANTED) is None
    assert read_entries(page(f"{beside}{PLAIN}"), "E", WANTED) is None


def test_few_entries_and_many_forms_are_left_to_the_parser() -> None:
    assert read_entries(f"<R><List>{PLAIN}</List></R>".encode(), "E", WANTED) is None
    forms = [PLAIN.replace("Type", f"Type{number}") for number in range(9)]
    assert read(page(*forms[:8])) == parsed(page(*forms[:8]))
    assert read(page(*forms)) is None


PIECES = st.sampled_from(
    [
        *("<E>", "</E>", "<Name>", "</Name>", "<Etag>", "</Etag>", "<Etag/>", "<Meta>", "</Meta>"),
        *(
            "<Props>",
            "</Props>",
            "<a>",
            "</a>",
            "<b />",
            "x",
            "",
            " ",
            "\n",
            "\r",
            "\0",
            "&",
            "&lt;",
        ),
        *(
            "&lt;",
            "&quot;",
            "]]>",
            "<!--",
            "-->",
            "<![CDATA[",
            "<?",
            "?>",
            "é",
            "<",
            ">",
            "/",
            "</List>",
        ),
    ]
)


@st.composite
def edits(draw: st.DrawFn) -> bytes:
    """A page of two forms of entries, altered in up to three places."""
    text = page(PLAIN, TAGGED).decode()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        until = at + draw(st.integers(0, 12))
        text = text[:at] + draw(PIECES) + text[until:]
    return text.encode()


@given(st.one_of(edits(), st.lists(PIECES, max_size=12).map(lambda some: page("".join(some)))))
@example(page(PLAIN, TAGGED).replace(b"<Type/>", b"</Type/>", 1))
@settings(max_examples=examples(100, 300), deadline=None)
def test_whatever_is_read_is_what_a_parser_reads(body: bytes) -> None:
    try:
        expected = parsed(body)
    except ParseError:
        with pytest.raises(ParseError):  # by the parser, which reads the rest in any case
            fromstring(_rest(body))
        return
    found = read(body)
    assert found in (None, expected)


def _rest(body: bytes) -> bytes:
    found = read_entries(body, "E", WANTED)
    return body if found is None else found.rest

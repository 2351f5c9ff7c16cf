"""The entries of a listing's page, read by the form that they have in common.

A page has a thousand entries or more, of up to twenty elements each. A parser that reports each
element to Python takes ten times as long as one regular expression over all entries. So the form of
the first entry (its elements and their order) becomes such an expression, and an entry of another
form gives another expression. This is done only if a parser would read the same; everything else is
left to the parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

_FEW = 50  # for fewer entries, a parser is done before an expression is compiled
_MAX_FORMS = 8
_FEWEST_KEYS = 2  # `findall` returns tuples if there are at least two groups
_ANY = "[^<]*+"
_TOKEN = re.compile(r"<(/?)([A-Za-z_][A-Za-z0-9_.-]*)( ?/)?>([^<]*)")
_CONTROLS = bytes({*range(0x20)} - {0x09, 0x0A})  # XML has no others, and reads "\r\n" as "\n"


class Group(NamedTuple):
    """Entries in a row that have the same form.

    Attributes:
        keys: The elements whose texts were read, each as its path within the entry.
        rows: The texts of each entry, in the order of ``keys``.
    """

    keys: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The texts of all entries, by the element."""
        return dict(zip(self.keys, zip(*self.rows, strict=True), strict=True))


class Entries(NamedTuple):
    """A document, taken apart.

    Attributes:
        rest: The document with one empty element in place of all entries. A parser finds the
            entries' position by that element.
        groups: The entries, in their order.
    """

    rest: bytes
    groups: list[Group]


def read_entries(body: bytes, tag: str, wanted: Collection[str]) -> Entries | None:
    """The entries of a document; None if a parser must read it.

    Args:
        body: The document.
        tag: The name of each entry's element.
        wanted: The elements within an entry to read, as paths such as ``Properties/Etag``. If one
            has elements itself, the texts of those are read.
    """
    begin, end = f"<{tag}>".encode(), f"</{tag}>".encode()
    first, last = body.find(begin), body.rfind(end) + len(end)
    if not 0 <= first < last:
        return None
    part = body[first:last]
    if (
        part.count(end) < _FEW
        or not part.isascii()
        or b"]]>" in part
        or len(part.translate(None, _CONTROLS)) != len(part)
    ):
        return None
    text = part.decode()
    if "&" in text:
        text = text.replace("&quot;", '"').replace("&#34;", '"')  # as in S3's ETags
        if "&" in text:
            return None
    groups = _groups(text, end.decode(), wanted)
    if groups is None:
        return None
    return Entries(b"%b<%b/>%b" % (body[:first], tag.encode(), body[last:]), groups)


class _Form(NamedTuple):
    """The form of entries: their expression, what it reads, and how many tags they have."""

    pattern: re.Pattern[str]
    keys: tuple[str, ...]
    tags: int


def _groups(text: str, end: str, wanted: Collection[str]) -> list[Group] | None:
    form = _form(text[: text.index(end) + len(end)], wanted)
    if form is None:
        return None
    rows = form.pattern.findall(text)
    # As many tags as in all of its matches: there is nothing but text between them.
    if text.count("<") == len(rows) * form.tags:
        return [Group(form.keys, rows)]
    return _mixed(text.split(end)[:-1], end, wanted)


def _mixed(texts: list[str], end: str, wanted: Collection[str]) -> list[Group] | None:
    """The entries, of several forms; None if there are too many forms, or one cannot be read."""
    forms: list[_Form] = []
    groups: list[Group] = []
    for text in texts:
        entry = text[text.find("<") :] + end
        for form in forms:
            found = form.pattern.fullmatch(entry)
            if found is not None:
                break
        else:
            made = None if len(forms) == _MAX_FORMS else _form(entry, wanted)
            found = None if made is None else made.pattern.fullmatch(entry)
            if made is None or found is None:
                return None
            form = made
            forms.append(form)
        if not groups or groups[-1].keys is not form.keys:
            groups.append(Group(form.keys, []))
        groups[-1].rows.append(found.groups())
    return groups


def _form(entry: str, wanted: Collection[str]) -> _Form | None:
    """The form of an entry; None if a parser might read it in another way."""
    reader = _FormReader(wanted)
    at = 0
    while at < len(entry):
        token = _TOKEN.match(entry, at)
        if token is None:
            return None
        ends, name, empty, text = token.groups()
        if ends and empty:  # no tag
            return None
        reader.parts += [re.escape(entry[at : token.start(4)]), _ANY if text else ""]
        if not (reader.end(name) if ends else reader.begin(name, empty=bool(empty))):
            return None
        at = token.end()
    return reader.form()


class _FormReader:
    """Learns a form, tag by tag.

    Args:
        wanted: What to read of an entry.

    Attributes:
        parts: The parts of the expression: each tag, and the text after it.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self.parts: list[str] = []
        self._wanted = wanted
        self._keys: list[str] = []
        self._seen: set[str] = set()
        self._path: list[str] = []
        self._inner = False  # whether the element that ends next has child elements

    def begin(self, name: str, *, empty: bool) -> bool:
        """Takes a tag that begins an element, or is all of it; False if a parser must read it."""
        path = self._path
        folder = "/".join(path[1:])
        key = f"{folder}/{name}" if folder else name
        if key in self._seen or (empty and folder in self._wanted):
            return False
        if not path and (empty or len(self.parts) > 2):  # noqa: PLR2004  (the first tag's)
            return False  # something stands beside the entries
        if path:  # the entry itself has no key
            self._seen.add(key)
        self._inner = empty
        if not empty:
            path.append(name)
        return True

    def end(self, name: str) -> bool:
        """As `begin`, for a tag that ends an element."""
        path = self._path
        if not path or path[-1] != name:
            return False
        key, folder = "/".join(path[1:]), "/".join(path[1:-1])
        path.pop()
        inner, self._inner = self._inner, True
        if inner:
            return folder not in self._wanted
        wanted = key in self._wanted or folder in self._wanted
        if wanted:
            self._keys.append(key)
        self.parts[-3] = f"({_ANY})" if wanted else _ANY  # the text between the two tags
        return True

    def form(self) -> _Form | None:
        """The form; None if the entry is incomplete, or has too little to read."""
        if self._path or len(self._keys) < _FEWEST_KEYS:
            return None
        pattern = re.compile("".join(self.parts))
        return _Form(pattern, tuple(self._keys), len(self.parts) // 2)

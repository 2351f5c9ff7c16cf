"""The blobs of a listing's page, read all at once."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from statebucket.port.bucket import ObjectInfo
from statebucket.port.dates import from_http
from statebucket_azure.versions import version_of
from statebucket_http.xml_entries import read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from statebucket_http.xml_entries import Group

_VERSION, _SIZE, _MODIFIED = (
    f"Properties/{name}" for name in ("Etag", "Content-Length", "Last-Modified")
)
_REQUIRED = {"Name", _VERSION, _SIZE, _MODIFIED}
_METADATA = "Metadata"
_WANTED = {*_REQUIRED, _METADATA}


class Blobs:
    """The blobs of a page.

    Args:
        rest: The page with one empty blob in place of all.
        groups: The blobs.

    Attributes:
        rest: The same.
    """

    def __init__(self, rest: bytes, groups: list[Group]) -> None:
        self.rest = rest
        self._groups = groups

    def stands_in(self, root: Element) -> bool:
        """Whether the blobs are where a page has them, given the root of ``rest``."""
        return [len(blob) for blob in root.iterfind("Blobs/Blob")] == [0]

    def objects(self) -> Iterator[ObjectInfo]:
        """The blobs, in their order.

        Raises:
            ValueError: A size is not a number.
            Unavailable: A blob has no version.
        """
        for group in self._groups:
            yield from _objects(group)


def read(body: bytes) -> Blobs | None:
    """The blobs of a page; None if the XML parser must read it."""
    found = read_entries(body, "Blob", _WANTED)
    if found is None or not all(_REQUIRED.issubset(group.keys) for group in found.groups):
        return None
    return Blobs(found.rest, found.groups)


def _objects(group: Group) -> Iterator[ObjectInfo]:
    columns = group.columns()
    folder = f"{_METADATA}/"
    metadata = {
        key.removeprefix(folder).lower(): column
        for key, column in columns.items()
        if key.startswith(folder)
    }
    named = map(dict, map(zip, repeat([*metadata]), zip(*metadata.values(), strict=True)))
    return map(
        ObjectInfo,
        columns["Name"],
        map(version_of, columns[_VERSION]),
        map(int, columns[_SIZE]),
        named if metadata else repeat({}),
        map(from_http, columns[_MODIFIED]),
    )

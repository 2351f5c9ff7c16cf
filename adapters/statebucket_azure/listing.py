"""Converts a page of a listing from Azure's XML to the port's form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from statebucket.port.bucket import ObjectInfo, Page, PrefixPage
from statebucket.port.dates import from_http
from statebucket_azure.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element


def page_of(root: Element, container: str, prefix: str, after: str | None) -> Page:
    """A page of blobs with their metadata.

    Args:
        root: The document's root.
        container: The container that was listed.
        prefix: The prefix of the request.
        after: The token that requested this page.

    Raises:
        ValueError: It is not such a page, or belongs to another request.
        Unavailable: A blob has no version.
    """
    return page_with(map(_read, root.iterfind("Blobs/Blob")), root, container, prefix, after)


def page_with(
    found: Iterable[ObjectInfo], root: Element, container: str, prefix: str, after: str | None
) -> Page:
    """A page of blobs that are already read; the other arguments are those of `page_of`."""
    _check(root, container, prefix)
    # Accounts with a hierarchical namespace list a directory as a blob.
    objects = [info for info in found if info.metadata.get("hdi_isfolder") != "true"]
    return Page(objects, _following(root, after))


def prefixes_of(root: Element, container: str, prefix: str, after: str | None) -> PrefixPage:
    """A page of the prefixes one slash below another; arguments and errors as for `page_of`."""
    _check(root, container, prefix)
    found = [(entry.tag, _name(entry)) for entry in root.iterfind("Blobs/*")]
    prefixes = [name for tag, name in found if tag == "BlobPrefix"]
    return PrefixPage(prefixes, _following(root, after))


def _check(root: Element, container: str, prefix: str) -> None:
    """Refuses XML other than the requested listing, which would pass for an empty page."""
    if root.tag != "EnumerationResults" or root.find("Blobs") is None:
        raise ValueError("not a listing")
    # A listing repeats its container and prefix.
    if root.get("ContainerName", container).rpartition("/")[2] != container:
        raise ValueError("a listing of another container")
    if (root.findtext("Prefix") or "") not in {prefix, ""}:
        raise ValueError("a listing of another prefix")


def _following(root: Element, after: str | None) -> str | None:
    marker = root.find("NextMarker")  # empty on the last page
    if marker is None:
        raise ValueError("it does not say whether more follows")
    following = marker.text or None
    if following is not None and following == after:
        raise ValueError("the next-page token repeats")
    return following


def _name(entry: Element) -> str:
    name = entry.find("Name")
    if name is None:
        raise ValueError("an entry has no name")
    text = name.text or ""
    return unquote(text) if name.get("Encoded") == "true" else text


def _read(blob: Element) -> ObjectInfo:
    properties = blob.find("Properties")
    if properties is None:
        raise ValueError("an entry has no properties")
    metadata = blob.find("Metadata")
    return ObjectInfo(
        _name(blob),
        version_of(properties.findtext("Etag")),
        int(properties.findtext("Content-Length", "")),
        {entry.tag.lower(): entry.text or "" for entry in (() if metadata is None else metadata)},
        from_http(properties.findtext("Last-Modified")),
    )

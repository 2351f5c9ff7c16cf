"""Listings, a page for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from azure.core.pipeline.policies import ContentDecodePolicy
from azure.storage.blob.aio import BlobPrefix

from statebucket.errors import excerpt
from statebucket.port.bucket import ObjectInfo, Page, PrefixPage
from statebucket_azure.sdk.errors import malformed
from statebucket_azure.sdk.versions import version_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob.aio import ContainerClient

# What reading a page raises that is not the page that was requested.
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, StopAsyncIteration)


async def objects(
    container: ContainerClient, prefix: str, after: str | None, limit: int, how: dict[str, Any]
) -> Page:
    """One page of blobs with their metadata.

    The SDK reads names only, and the rest is read from the reply that it has parsed: to turn
    1,000 entries into its own models, dates and all, takes it 200 ms, this 16.
    """
    replies: list[PipelineResponse[Any, Any]] = []
    pages = container.list_blob_names(
        name_starts_with=prefix,
        include=["metadata"],
        results_per_page=limit,
        raw_response_hook=replies.append,
        **how,
    ).by_page(after)
    try:
        await anext(pages)
        root = _root(replies, container, prefix)
        found = [_read(blob) for blob in root.iterfind("Blobs/Blob")]
        following = root.findtext("NextMarker") or None
        _check_marker(following, after)
    except _UNREADABLE as error:
        raise malformed(excerpt(error)) from error
    return Page([info for info in found if not _is_folder(info)], following)


async def prefixes(
    container: ContainerClient, prefix: str, after: str | None, limit: int, how: dict[str, Any]
) -> PrefixPage:
    """One page of the prefixes one slash below ``prefix``."""
    replies: list[PipelineResponse[Any, Any]] = []
    walk = container.walk_blobs(
        name_starts_with=prefix, results_per_page=limit, raw_response_hook=replies.append, **how
    )
    pages: Any = walk.by_page(after)
    try:
        page = await anext(pages)
        _root(replies, container, prefix)
        found = [entry.name async for entry in page if isinstance(entry, BlobPrefix)]
        following = pages.continuation_token or None
        _check_marker(following, after)
    except _UNREADABLE as error:
        raise malformed(excerpt(error)) from error
    return PrefixPage(found, following)


def _root(
    replies: list[PipelineResponse[Any, Any]], container: ContainerClient, prefix: str
) -> Element:
    """What the SDK has parsed; any other XML than a listing would pass for an empty page."""
    root: Element = replies[-1].context[ContentDecodePolicy.CONTEXT_NAME]
    if root.tag != "EnumerationResults":
        raise ValueError("not a listing")
    named = root.get("ContainerName", container.container_name)
    # A listing repeats what it lists.
    if named.rpartition("/")[2] != container.container_name:
        raise ValueError("a listing of another container")
    if (root.findtext("Prefix") or "") not in {prefix, ""}:
        raise ValueError("a listing of another prefix")
    return root


def _check_marker(following: str | None, after: str | None) -> None:
    if following is not None and following == after:
        raise ValueError("the next-page token repeats")


def _read(blob: Element) -> ObjectInfo:
    name = blob.find("Name")
    properties = blob.find("Properties")
    if name is None or properties is None:
        raise ValueError("an entry has no name or no properties")
    text = name.text or ""
    return ObjectInfo(
        unquote(text) if name.get("Encoded") == "true" else text,
        version_of(properties.findtext("Etag")),
        int(properties.findtext("Content-Length", "")),
        {entry.tag.lower(): entry.text or "" for entry in blob.iterfind("Metadata/*")},
    )


def _is_folder(info: ObjectInfo) -> bool:
    """Whether it is a directory, which accounts with a hierarchical namespace list as a blob."""
    return info.metadata.get("hdi_isfolder") == "true"

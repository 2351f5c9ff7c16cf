"""Listings, a page for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from azure.core.pipeline.policies import ContentDecodePolicy
from azure.storage.blob.aio import BlobPrefix

from statebucket.port.bucket import ObjectInfo, Page, PrefixPage
from statebucket_azure.sdk.translate import garbled
from statebucket_azure.sdk.versions import version_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob.aio import ContainerClient

# What reading a page raises that is not the page that was asked for.
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, StopAsyncIteration)


async def objects(
    container: ContainerClient, prefix: str, after: str | None, limit: int, how: dict[str, Any]
) -> Page:
    """One page of blobs with their metadata.

    The SDK is asked for names only, and the rest read from the reply that it has parsed: to turn
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
        root = _root(replies)
        found = [_read(blob) for blob in root.iterfind("Blobs/Blob")]
        following = root.findtext("NextMarker") or None
    except _UNREADABLE as error:
        raise garbled() from error
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
        _root(replies)
        found = [entry.name async for entry in page if isinstance(entry, BlobPrefix)]
    except _UNREADABLE as error:
        raise garbled() from error
    return PrefixPage(found, pages.continuation_token or None)


def _root(replies: list[PipelineResponse[Any, Any]]) -> Element:
    """What the SDK has parsed; any other XML than a listing would pass for an empty page."""
    root: Element = replies[-1].context[ContentDecodePolicy.CONTEXT_NAME]
    if root.tag != "EnumerationResults":
        raise ValueError("no listing")
    return root


def _read(blob: Element) -> ObjectInfo:
    name = blob.find("Name")
    properties = blob.find("Properties")
    if name is None or properties is None:
        raise ValueError("no name or properties")
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

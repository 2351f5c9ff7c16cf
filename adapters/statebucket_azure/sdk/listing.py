"""Listings, one page per request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.pipeline.policies import ContentDecodePolicy

from statebucket.errors import excerpt
from statebucket.port.beginnings import behind_folder, just_behind
from statebucket_azure.codes import malformed
from statebucket_azure.listing import page_of, prefixes_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob.aio import ContainerClient

    from statebucket.errors import Unavailable
    from statebucket.port.bucket import Page, PrefixPage

# What reading a wrong page may raise.
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, StopAsyncIteration)


async def objects(
    container: ContainerClient,
    prefix: str,
    after: str | None,
    limit: int,
    start_after: str | None,
    how: dict[str, Any],
) -> Page:
    """One page of blobs with their metadata.

    The SDK reads only names; the rest is read from the reply that it has parsed. Turning 1,000
    entries into its own models, dates included, takes the SDK 200 ms; this takes 16.
    """
    replies: list[PipelineResponse[Any, Any]] = []
    if start_after is not None:
        how = _beginning(how, just_behind(start_after))
    pages = container.list_blob_names(
        name_starts_with=prefix,
        include=["metadata"],
        results_per_page=limit,
        raw_response_hook=replies.append,
        **how,
    ).by_page(after)
    try:
        await anext(pages)
        return page_of(_root(replies), container.container_name, prefix, after)
    except _UNREADABLE as error:
        raise _malformed(error) from error


async def prefixes(
    container: ContainerClient,
    prefix: str,
    after: str | None,
    limit: int,
    start_after: str | None,
    how: dict[str, Any],
) -> PrefixPage:
    """One page of the prefixes one slash below ``prefix``."""
    replies: list[PipelineResponse[Any, Any]] = []
    if start_after is not None:
        how = _beginning(how, behind_folder(start_after))
    pages: Any = container.walk_blobs(
        name_starts_with=prefix, results_per_page=limit, raw_response_hook=replies.append, **how
    ).by_page(after)
    try:
        await anext(pages)
        return prefixes_of(_root(replies), container.container_name, prefix, after)
    except _UNREADABLE as error:
        raise _malformed(error) from error


def _beginning(how: dict[str, Any], start: str) -> dict[str, Any]:
    """The options of a listing that begins with a name.

    It is a parameter of the request, since older releases of the SDK have no keyword for it. Older
    versions of the service do not know it, and list from the beginning.
    """
    return {**how, "params": {"startFrom": start}}


def _malformed(error: Exception) -> Unavailable:
    """The error for a page other than the one requested, in words that a caller can use."""
    return malformed(excerpt(error) if isinstance(error, ValueError) else "not a listing")


def _root(replies: list[PipelineResponse[Any, Any]]) -> Element:
    """What the SDK has parsed."""
    root: Element = replies[-1].context[ContentDecodePolicy.CONTEXT_NAME]
    return root

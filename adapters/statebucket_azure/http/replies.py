"""Converts the replies of Azure Blob's REST API to the port's form."""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import md5
from typing import TYPE_CHECKING

from statebucket.errors import Unavailable, excerpt
from statebucket.port.bucket import ObjectInfo
from statebucket_azure.codes import malformed
from statebucket_azure.versions import version_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from statebucket.port.bucket import Page, PrefixPage
    from statebucket_http.wire import Reply

_OK = 200


def info_of(name: str, reply: Reply, size: int) -> ObjectInfo:
    """A blob, from the headers of a reply about it."""
    headers = reply.headers
    metadata = {key[10:]: value for key, value in headers.items() if key[:10] == "x-ms-meta-"}
    return ObjectInfo(name, version_of(headers.get("etag")), size, metadata)


def size_of(reply: Reply) -> int:
    """The size according to the reply to a HEAD."""
    text = reply.headers.get("content-length", "")
    if not text.isdecimal():
        raise malformed("it has no size")
    return int(text)


def whole(reply: Reply, *, checked: bool = True) -> bytes:
    """The body of a blob, checked to be complete and unaltered.

    Args:
        reply: The reply.
        checked: Whether to compare it with its MD5 even if the reply states its length.

    Raises:
        Unavailable: It is cut short, or may be, or is not what was stored.
    """
    body, headers = reply.body, reply.headers
    if reply.status != _OK:
        raise malformed(f"status {reply.status} for a whole blob")
    length = headers.get("content-length")
    if length is not None and length != str(len(body)):
        raise Unavailable(f"the body is truncated: {len(body)} of {length} bytes arrived")
    stated = headers.get("content-md5")
    if stated is not None and (checked or not reply.framed):
        digest = md5(body, usedforsecurity=False).digest()
        if b2a_base64(digest, newline=False).decode() != stated:
            raise Unavailable("the body does not match the service's MD5")
    elif not reply.framed:
        raise Unavailable("the body ended with the connection and may be truncated")
    return _decoded(body, headers["content-encoding"]) if "content-encoding" in headers else body


def _decoded(body: bytes, coding: str) -> bytes:
    """A body that another program stored compressed, as the SDK reads it."""
    if coding.lower() not in {"gzip", "deflate"}:
        return body
    import zlib  # noqa: PLC0415  (nothing of ours is compressed)

    try:
        return zlib.decompress(body, zlib.MAX_WBITS | 32)  # of either
    except zlib.error:
        raise Unavailable(f"the body is not {excerpt(coding)}, as the service says") from None


def page_of(reply: Reply, container: str, prefix: str, after: str | None) -> Page:
    """A page of blobs; the arguments are those of `statebucket_azure.listing.page_of`."""
    from statebucket_azure import listing  # noqa: PLC0415  (a first load needs none)
    from statebucket_azure.http import entries  # noqa: PLC0415  (as above)

    try:
        read = entries.read(reply.body)
        if read is not None:
            root = root_of(read.rest)
            if read.stands_in(root):
                return listing.page_with(read.objects(), root, container, prefix, after)
        return listing.page_of(root_of(reply.body), container, prefix, after)
    except ValueError as error:
        raise malformed(excerpt(error)) from error


def prefixes_of(reply: Reply, container: str, prefix: str, after: str | None) -> PrefixPage:
    """A page of prefixes; the arguments are those of `statebucket_azure.listing.page_of`."""
    from statebucket_azure import listing  # noqa: PLC0415  (as above)

    try:
        return listing.prefixes_of(root_of(reply.body), container, prefix, after)
    except ValueError as error:
        raise malformed(excerpt(error)) from error


def root_of(body: bytes) -> Element:
    """The root of the document in a reply's body.

    Raises:
        ValueError: There is no document, or it declares a document type.
    """
    from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415  (as above)

    if b"<!DOCTYPE" in body:
        raise ValueError("a document type, which Azure never declares")
    if b"\0" in body:  # as in UTF-16, where a document type would not be noticed
        raise ValueError("a zero byte, which Azure's UTF-8 never contains")
    try:
        return fromstring(body)  # noqa: S314  (without a document type there is no entity)
    except (ParseError, LookupError) as error:  # LookupError: of an unknown encoding
        raise ValueError(f"not valid XML: {error}") from error

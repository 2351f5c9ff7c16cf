"""The requests of Azure Blob's REST API, as a container needs them."""

from __future__ import annotations

import os
from binascii import b2a_base64
from hashlib import md5
from typing import TYPE_CHECKING

from statebucket.contract.versions import Version
from statebucket.port.expiry import TAG
from statebucket.port.url import quoted
from statebucket_azure.versions import if_match
from statebucket_http.paths import path_of
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.bucket import Write
    from statebucket_azure.http.access import Grant
    from statebucket_azure.options import BlobOptions

TAGS = "x-ms-tags"
"""The header of a write that sets index tags."""

VERSION = {"x-ms-version": "2021-12-02"}
"""The header with the protocol's version: the first whose listings encode what XML cannot hold."""

_VERSION_OF_BEGINNINGS = {"x-ms-version": "2026-02-06"}  # the first that takes a start name
_LINE = "\r\n"
_INCLUDING_SNAPSHOTS = {"x-ms-delete-snapshots": "include"}


class BlobRequests:
    """Builds the requests to one container.

    Args:
        options: The store's options.
        checked: Whether to send bodies with their MD5, since TLS does not protect them.
    """

    def __init__(self, options: BlobOptions, *, checked: bool = True) -> None:
        self._checked = checked
        self._ttl_tags = options.ttl_tags
        self._always = {"x-ms-blob-type": "BlockBlob", **VERSION}
        if options.encryption_scope is not None:
            self._always["x-ms-encryption-scope"] = options.encryption_scope

    def put(self, write: Write, condition: Version | None) -> Request:
        """``Put Blob``; with an MD5, which the service compares, if bodies are checked."""
        headers = {"content-type": write.content_type, **self._always}
        if self._checked:
            digest = md5(write.body, usedforsecurity=False).digest()
            headers["content-md5"] = b2a_base64(digest, newline=False).decode()
        if self._ttl_tags and write.expiry is not None and write.expiry.days is not None:
            headers[TAGS] = f"{TAG}={write.expiry.days}"
        if condition is not None:
            if condition == Version.ABSENT:
                headers["if-none-match"] = "*"
            else:
                headers["if-match"] = if_match(condition)
        for name, value in write.metadata.items():
            headers[f"x-ms-meta-{name}"] = value
        return Request("PUT", path_of(write.name), "", headers, write.body)

    def get(self, name: str) -> Request:
        """``Get Blob``."""
        return Request("GET", path_of(name), "", VERSION)

    def get_range(self, name: str, start: int, length: int) -> Request:
        """``Get Blob``, of a part."""
        span = {"x-ms-range": f"bytes={start}-{start + length - 1}"}
        return Request("GET", path_of(name), "", {**span, **VERSION})

    def head(self, name: str) -> Request:
        """``Get Blob Properties``."""
        return Request("HEAD", path_of(name), "", VERSION)

    def delete(self, name: str, condition: Version | None) -> Request:
        """``Delete Blob``, and its snapshots."""
        headers = {**_INCLUDING_SNAPSHOTS, **VERSION}
        if condition is not None:
            headers["if-match"] = if_match(condition)
        return Request("DELETE", path_of(name), "", headers)

    def list(
        self,
        prefix: str,
        after: str | None,
        limit: int,
        delimiter: str = "",
        start: str | None = None,
    ) -> Request:
        """``List Blobs``; with a delimiter, of prefixes only, else with metadata.

        Args:
            prefix: What the names begin with.
            after: The marker of the page before.
            limit: The most entries.
            delimiter: Ends the prefixes that are listed.
            start: The name to begin with.
        """
        parts = ["comp=list"]
        parts.append(f"delimiter={quoted(delimiter)}" if delimiter else "include=metadata")
        if after is not None:
            parts.append(f"marker={quoted(after)}")
        parts += [f"maxresults={limit}", f"prefix={quoted(prefix)}", "restype=container"]
        if start is None:
            return Request("GET", "", "&".join(parts), VERSION)
        parts.append(f"startFrom={quoted(start)}")
        return Request("GET", "", "&".join(parts), _VERSION_OF_BEGINNINGS)

    def delete_many(self, names: Sequence[str], grant: Grant, base: str, date: str) -> Request:
        """``Blob Batch`` of ``Delete Blob``, whose parts are numbered from 0 in order of the names.

        Args:
            names: The blobs.
            grant: Authorizes each part, and later the whole.
            base: What comes before each part's path.
            date: When the parts are signed.
        """
        boundary = f"batch_{os.urandom(16).hex()}"
        headers = {**_INCLUDING_SNAPSHOTS, "x-ms-date": date}
        sign = grant.signer("DELETE", headers, base)
        query = ""
        if sign is None:  # all parts are authorized in the same way
            query = grant.authorize(Request("DELETE", ""), headers, base).query
        fields = "".join([f"{field}: {value}\r\n" for field, value in headers.items()])
        # Content-Length is sent as by the SDK; the signature treats it as absent.
        end = f"{query and f'?{query}'} HTTP/1.1\r\n{fields}Content-Length: 0\r\n"
        pieces = [
            f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary"
            f"\r\nContent-ID: {number}\r\n\r\nDELETE {base}{path}{end}"
            f"{'' if sign is None else f'authorization: {sign(path)}{_LINE}'}{_LINE}{_LINE}"
            for number, path in enumerate(map(path_of, names))
        ]
        pieces.append(f"--{boundary}--\r\n")
        kind = {"content-type": f"multipart/mixed; boundary={boundary}", **VERSION}
        return Request("POST", "", "comp=batch&restype=container", kind, "".join(pieces).encode())

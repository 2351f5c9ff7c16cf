"""As much of Azure Blob Storage as its clients need here, with the account in the path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import escape

from benchmarks.server.http import Reply, Request
from benchmarks.server.storage import MODIFIED_HTTP, Entry, Storage, ranged

if TYPE_CHECKING:
    from benchmarks.server.storage import Container

_XML = {"Content-Type": "application/xml"}
_META = "x-ms-meta-"
_SUBREQUEST = re.compile(
    rb"Content-ID: *(\d+).*?\r\nDELETE ([^ ]+) HTTP", re.DOTALL | re.IGNORECASE
)


class Azure:
    """The service."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __call__(self, request: Request) -> Reply:
        _, _, path = request.path[1:].partition("/")
        where, _, name = path.partition("/")
        if request.query.get("comp") == "batch":
            return self._batch(request)
        container = self._storage[where]
        if not name:
            if request.query.get("comp") == "list":
                return _listing(request, container, where)
            return Reply(201 if request.method == "PUT" else 200, {"ETag": '"0x1"'})
        entry = container.entries.get(name)
        if request.method == "PUT":
            return _put(request, container, name, entry)
        if entry is None:
            return _failure(404, "BlobNotFound")
        if _refused(request, entry):
            return _failure(412, "ConditionNotMet")
        if request.method == "DELETE":
            container.delete(name)
            return Reply(202)
        return _read(request, entry)

    def _batch(self, request: Request) -> Reply:
        parts = []
        for number, target in _SUBREQUEST.findall(request.body):
            path = unquote(target.decode().partition("?")[0]).lstrip("/").split("/", 2)
            gone = self._storage[path[1]].delete(path[2])
            line = "202 Accepted" if gone else "404 The specified blob does not exist."
            code = "" if gone else "x-ms-error-code: BlobNotFound\r\n"
            parts.append(
                "--batch\r\nContent-Type: application/http\r\n"
                f"Content-ID: {number.decode()}\r\n\r\n"
                f"HTTP/1.1 {line}\r\nx-ms-request-id: 1\r\n{code}x-ms-version: 2021-12-02\r\n\r\n"
            )
        parts.append("--batch--\r\n")
        headers = {"Content-Type": "multipart/mixed; boundary=batch"}
        return Reply(202, headers, "".join(parts).encode())


def _put(request: Request, container: Container, name: str, entry: Entry | None) -> Reply:
    headers = request.headers
    if headers.get("if-none-match") == "*" and entry is not None:
        return _failure(409, "BlobAlreadyExists")
    if "if-match" in headers and (entry is None or _refused(request, entry)):
        return _failure(412, "ConditionNotMet")
    metadata = {key[len(_META) :]: value for key, value in headers.items() if key.startswith(_META)}
    kind = headers.get("x-ms-blob-content-type") or headers.get("content-type", "")
    entry = Entry(request.body, kind, metadata)
    if "content-md5" in headers:
        entry.kept["Content-MD5"] = headers["content-md5"]
    container.put(name, entry)
    return Reply(201, {"ETag": entry.write_tag, "Last-Modified": MODIFIED_HTTP} | _ALWAYS)


_ALWAYS = {"x-ms-version": "2021-12-02", "x-ms-request-id": "1", "Date": MODIFIED_HTTP}


def _refused(request: Request, entry: Entry) -> bool:
    tag = request.headers.get("if-match")
    return tag not in {None, "*", entry.write_tag}


def _read(request: Request, entry: Entry) -> Reply:
    headers = {
        "ETag": entry.write_tag,
        "Last-Modified": MODIFIED_HTTP,
        "x-ms-creation-time": MODIFIED_HTTP,
        "Content-Type": entry.content_type,
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-server-encrypted": "true",
    } | _ALWAYS
    for key, value in entry.metadata.items():
        headers[_META + key] = value
    if request.method == "HEAD":
        return Reply(200, headers | entry.kept, length=len(entry.body))
    body, part = ranged(entry, request.headers.get("x-ms-range") or request.headers.get("range"))
    if part is None:
        return Reply(200, headers | entry.kept, body)
    if not entry.body:
        return _failure(416, "InvalidRange")
    if "Content-MD5" in entry.kept:
        headers["x-ms-blob-content-md5"] = entry.kept["Content-MD5"]
    return Reply(206, headers | {"Content-Range": part}, body)


def _listing(request: Request, container: Container, where: str) -> Reply:
    query = request.query
    page = container.list(
        query.get("prefix", ""),
        query.get("marker", ""),
        int(query.get("maxresults", "5000")),
        query.get("delimiter", ""),
    )
    with_metadata = "metadata" in query.get("include", "")
    head = (
        "<?xml version='1.0' encoding='utf-8'?>"
        f"<EnumerationResults ServiceEndpoint='http://x/' ContainerName='{where}'>"
        f"<Prefix>{escape(query.get('prefix', ''))}</Prefix><Blobs>"
    )
    parts = [head]
    for name in page.names:
        entry = container.entries[name]
        parts.append(
            f"<Blob><Name>{escape(name)}</Name><Properties>"
            f"<Creation-Time>{MODIFIED_HTTP}</Creation-Time>"
            f"<Last-Modified>{MODIFIED_HTTP}</Last-Modified><Etag>{entry.write_tag[1:-1]}</Etag>"
            f"<Content-Length>{len(entry.body)}</Content-Length>"
            f"<Content-Type>{entry.content_type}</Content-Type><BlobType>BlockBlob</BlobType>"
            "<AccessTier>Hot</AccessTier><LeaseStatus>unlocked</LeaseStatus>"
            "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>"
            "</Properties>"
        )
        if with_metadata:
            metadata = [f"<{k}>{escape(v)}</{k}>" for k, v in entry.metadata.items()]
            parts.append(f"<Metadata>{''.join(metadata)}</Metadata>")
        parts.append("</Blob>")
    parts += [f"<BlobPrefix><Name>{escape(p)}</Name></BlobPrefix>" for p in page.prefixes]
    parts.append(f"</Blobs><NextMarker>{escape(page.following or '')}</NextMarker>")
    parts.append("</EnumerationResults>")
    return Reply(200, _XML | _ALWAYS, "".join(parts).encode())


def _failure(status: int, code: str) -> Reply:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Reply(status, _XML | _ALWAYS | {"x-ms-error-code": code}, text.encode())

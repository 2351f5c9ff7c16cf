"""As much of S3 as its clients need here: no signature is checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape, unescape

from benchmarks.server.http import Reply, Request
from benchmarks.server.storage import MODIFIED, MODIFIED_HTTP, Entry, Storage, ranged

if TYPE_CHECKING:
    from benchmarks.server.storage import Container

_XML = {"Content-Type": "application/xml"}
_META = "x-amz-meta-"
_OBJECT = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_ETAG = re.compile(r"<ETag>(.*?)</ETag>", re.DOTALL)
_QUOTES = {"&quot;": '"', "&apos;": "'", "&#34;": '"', "&#39;": "'"}


def error(status: int, code: str) -> Reply:
    """An error, as S3 and Cloud Storage's XML API say it."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Reply(status, _XML, text.encode())


class S3:
    """The service."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __call__(self, request: Request) -> Reply:
        bucket, _, name = request.path[1:].partition("/")
        container = self._storage[bucket]
        if not name:
            return self._bucket(request, container, bucket)
        if request.method == "PUT":
            return self._put(request, container, name)
        entry = container.entries.get(name)
        if request.method == "DELETE":
            tag = request.headers.get("if-match")
            if entry is not None and tag and tag != entry.hash_tag:
                return error(412, "PreconditionFailed")
            container.delete(name)
            return Reply(204)
        if entry is None:
            return Reply(404) if request.method == "HEAD" else error(404, "NoSuchKey")
        return _read(request, entry)

    def _put(self, request: Request, container: Container, name: str) -> Reply:
        headers = request.headers
        refused = refused_by(headers, container.entries.get(name))
        if refused:
            return error(412, "PreconditionFailed")
        body = request.body
        kept = {key: value for key, value in headers.items() if key in _CHECKSUMS}
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
            body, trailer = _unchunked(body)
            kept |= trailer
        entry = Entry(body, headers.get("content-type", ""), _metadata(headers), kept)
        container.put(name, entry)
        return Reply(200, {"ETag": entry.hash_tag} | kept)

    def _bucket(self, request: Request, container: Container, bucket: str) -> Reply:
        if request.method == "POST" and "delete" in request.query:
            return _delete_many(request, container)
        if request.method != "GET" or "list-type" not in request.query:
            return Reply(200, _XML, b"<LocationConstraint/>" if request.method == "GET" else b"")
        return listing(request, container, bucket)


def refused_by(headers: dict[str, str], entry: Entry | None) -> bool:
    """Whether a write's conditions do not hold."""
    if "if-none-match" in headers and entry is not None:
        return True
    tag = headers.get("if-match")
    return tag is not None and (entry is None or tag != entry.hash_tag)


def _read(request: Request, entry: Entry) -> Reply:
    headers = {
        "ETag": entry.hash_tag,
        "Last-Modified": MODIFIED_HTTP,
        "Accept-Ranges": "bytes",
        "Content-Type": entry.content_type,
    }
    for key, value in entry.metadata.items():
        headers[_META + key] = value
    if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers |= entry.kept
    if request.method == "HEAD":
        return Reply(200, headers, length=len(entry.body))
    body, part = ranged(entry, request.headers.get("range"))
    if part is None:
        return Reply(200, headers, body)
    for key in entry.kept:
        headers.pop(key, None)  # those are the whole object's
    return Reply(206, headers | {"Content-Range": part}, body)


def listing(request: Request, container: Container, bucket: str) -> Reply:
    """A page of ListObjectsV2."""
    query = request.query
    encoding = query.get("encoding-type")
    shown = quote if encoding else escape
    after = query.get("continuation-token") or query.get("start-after", "")
    page = container.list(
        query.get("prefix", ""),
        after,
        int(query.get("max-keys", "1000")),
        query.get("delimiter", ""),
    )
    more = page.following is not None
    head = (
        "<?xml version='1.0' encoding='UTF-8'?>"
        "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
        f"<Name>{bucket}</Name><Prefix>{shown(query.get('prefix', ''))}</Prefix>"
        f"<MaxKeys>1000</MaxKeys><KeyCount>{len(page.names)}</KeyCount>"
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
    )
    parts = [head]
    if encoding:
        parts.append(f"<EncodingType>{encoding}</EncodingType>")
    if page.following is not None:
        token = escape(page.following)
        parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    for name in page.names:
        entry = container.entries[name]
        parts.append(
            f"<Contents><Key>{shown(name)}</Key><LastModified>{MODIFIED}</LastModified>"
            f"<ETag>{entry.hash_tag.replace(chr(34), '&quot;')}</ETag>"
            f"<Size>{len(entry.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    parts += [
        f"<CommonPrefixes><Prefix>{shown(p)}</Prefix></CommonPrefixes>" for p in page.prefixes
    ]
    parts.append("</ListBucketResult>")
    return Reply(200, _XML, "".join(parts).encode())


def _delete_many(request: Request, container: Container) -> Reply:
    text = request.body.decode()
    quiet = "<Quiet>true" in text
    parts = ["<?xml version='1.0' encoding='UTF-8'?><DeleteResult>"]
    for block in _OBJECT.findall(text):
        key = _KEY.search(block)
        assert key
        name = unescape(key[1], _QUOTES)
        tag = _ETAG.search(block)
        entry = container.entries.get(name)
        if tag and entry is not None and unescape(tag[1], _QUOTES) != entry.hash_tag:
            parts.append(
                f"<Error><Key>{escape(name)}</Key><Code>PreconditionFailed</Code>"
                "<Message>PreconditionFailed</Message></Error>"
            )
            continue
        container.delete(name)
        if not quiet:
            parts.append(f"<Deleted><Key>{escape(name)}</Key></Deleted>")
    parts.append("</DeleteResult>")
    return Reply(200, _XML, "".join(parts).encode())


_CHECKSUMS = {
    f"x-amz-checksum-{kind}" for kind in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
}


def _metadata(headers: dict[str, str]) -> dict[str, str]:
    return {key[len(_META) :]: value for key, value in headers.items() if key.startswith(_META)}


def _unchunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The body out of its aws-chunked form, and the checksum from its trailer."""
    parts = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        at = end + 2
        if not size:
            break
        parts.append(body[at : at + size])
        at += size + 2
    lines = [line.partition(":") for line in body[at:].decode().split("\r\n") if line]
    trailer = {key.strip().lower(): value.strip() for key, _, value in lines}
    return b"".join(parts), {key: value for key, value in trailer.items() if key in _CHECKSUMS}

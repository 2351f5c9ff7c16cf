"""As much of Cloud Storage's JSON and XML APIs as their clients need here."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from uuid import uuid4

import google_crc32c

from benchmarks.server import s3
from benchmarks.server.http import Reply, Request
from benchmarks.server.storage import MODIFIED, MODIFIED_HTTP, Entry, Storage, ranged

if TYPE_CHECKING:
    from benchmarks.server.storage import Container

_JSON = {"Content-Type": "application/json; charset=UTF-8"}
_META = "x-goog-meta-"
_DELETION = re.compile(rb"^DELETE \S*/storage/v1/b/([^ ?]+)", re.MULTILINE)
_FIELD = re.compile(r"(\w+)(?:\(([^)]*)\))?")
_PATH = re.compile(r"/(upload/|download/)?storage/v1/b/([^/]+)(?:/o(?:/(.*))?)?", re.DOTALL)


class GCS:
    """The service."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._uploads: dict[str, dict[str, Any]] = {}

    def __call__(self, request: Request) -> Reply:
        if request.path == "/storage/v1/b":
            return Reply(200, _JSON, b"{}")  # a bucket is made when it is first named
        if request.path == "/batch/storage/v1":
            return self._batch(request)
        found = _PATH.fullmatch(request.path)
        if found is None:
            return self._xml(request)
        kind, bucket, name = found.groups()
        container = self._storage[bucket]
        if kind == "upload/":
            return self._upload(request, container)
        if name is None:
            return _listing(request, container, bucket)
        entry = container.entries.get(name)
        if entry is None:
            return _failure(404, "notFound")
        if request.method == "DELETE":
            if _refused(request, entry):
                return _failure(412, "conditionNotMet")
            container.delete(name)
            return Reply(204)
        if kind == "download/" or request.query.get("alt") == "media":
            return _read(request, entry)
        return _answered(request, _resource(bucket, name, entry))

    def _batch(self, request: Request) -> Reply:
        """Of deletions, numbered in their order."""
        parts = []
        for number, where in enumerate(_DELETION.findall(request.body)):
            bucket, _, name = unquote(where.decode()).partition("/o/")
            gone = self._storage[bucket].delete(name)
            line = "204 No Content" if gone else "404 Not Found"
            body = b"" if gone else _failure(404, "notFound").body
            parts.append(
                f"--batch\r\nContent-Type: application/http\r\n"
                f"Content-ID: <response-{number}>\r\n\r\nHTTP/1.1 {line}\r\n"
                f"Content-Type: application/json; charset=UTF-8\r\n\r\n{body.decode()}\r\n"
            )
        headers = {"Content-Type": "multipart/mixed; boundary=batch"}
        return Reply(200, headers, "".join([*parts, "--batch--\r\n"]).encode())

    def _upload(self, request: Request, container: Container) -> Reply:
        """Of all three kinds; the answer tells what the SDK and our adapter read of it."""
        how = request.query["uploadType"]
        if "upload_id" in request.query:
            about = self._uploads.pop(request.query["upload_id"])
            content = request.body
        elif how == "resumable":
            upload = uuid4().hex
            about = json.loads(request.body or b"{}")
            about.setdefault("name", request.query.get("name"))
            self._uploads[upload] = about
            target = f"http://{request.headers['host']}{quote(request.path)}"
            target += f"?uploadType=resumable&upload_id={upload}"
            return Reply(200, {"Location": target})
        else:
            about, content = _parts(request)
        name = about["name"]
        if _refused(request, container.entries.get(name)):
            return _failure(412, "conditionNotMet")
        entry = Entry(content, about.get("contentType", ""), about.get("metadata") or {})
        container.put(name, entry)
        return _answered(request, _resource("b", name, entry))

    def _xml(self, request: Request) -> Reply:
        bucket, _, name = request.path[1:].partition("/")
        container = self._storage[bucket]
        if not name:
            return s3.listing(request, container, bucket)
        entry = container.entries.get(name)
        if request.method == "PUT":
            match = request.headers.get("x-goog-if-generation-match")
            if match is not None and int(match) != (entry.generation if entry else 0):
                return s3.error(412, "PreconditionFailed")
            entry = Entry(request.body, request.headers.get("content-type", ""))
            container.put(name, entry)
            return Reply(200, {"ETag": entry.write_tag, "x-goog-generation": f"{entry.generation}"})
        if entry is None:
            return Reply(404) if request.method == "HEAD" else s3.error(404, "NoSuchKey")
        if request.method == "DELETE":
            container.delete(name)
            return Reply(204)
        return _read(request, entry)


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """The two parts of a multipart upload."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip("\"'").encode()
    body = request.body
    start = body.index(b"\r\n\r\n") + 4
    middle = body.index(b"--" + boundary, start)
    content = body.index(b"\r\n\r\n", middle) + 4
    end = body.rindex(b"\r\n--" + boundary)
    return json.loads(body[start:middle]), body[content:end]


def _refused(request: Request, entry: Entry | None) -> bool:
    match = request.query.get("ifGenerationMatch")
    return match is not None and int(match) != (entry.generation if entry else 0)


def _read(request: Request, entry: Entry) -> Reply:
    headers = {
        "ETag": entry.write_tag,
        "Last-Modified": MODIFIED_HTTP,
        "Content-Type": entry.content_type or "application/octet-stream",
        "x-goog-generation": str(entry.generation),
        "x-goog-metageneration": "1",
        "x-goog-stored-content-length": str(len(entry.body)),
        "x-goog-stored-content-encoding": "identity",
        "x-goog-hash": f"crc32c={_crc32c(entry)}",
    }
    for key, value in entry.metadata.items():
        headers[_META + key] = value
    if request.method == "HEAD":
        return Reply(200, headers, length=len(entry.body))
    body, part = ranged(entry, request.headers.get("range"))
    if part is None:
        return Reply(200, headers, body)
    return Reply(206, headers | {"Content-Range": part}, body)


def _listing(request: Request, container: Container, bucket: str) -> Reply:
    query = request.query
    page = container.list(
        query.get("prefix", ""),
        query.get("pageToken", ""),
        int(query.get("maxResults", "1000")),
        query.get("delimiter", ""),
    )
    answer: dict[str, Any] = {"kind": "storage#objects", "prefixes": page.prefixes}
    answer["items"] = [_resource(bucket, name, container.entries[name]) for name in page.names]
    if page.following is not None:
        answer["nextPageToken"] = page.following
    return _answered(request, answer)


def _answered(request: Request, answer: dict[str, Any]) -> Reply:
    """A reply with the fields that the request asks for, or with all."""
    fields = request.query.get("fields")
    if fields is not None:
        answer = _chosen(fields, answer)
    return Reply(200, _JSON, json.dumps(answer).encode())


def _chosen(fields: str, answer: dict[str, Any]) -> dict[str, Any]:
    """What a partial response keeps: of each item, too, in ``kind,items(name,size)``."""
    kept: dict[str, Any] = {}
    for field, of_each in _FIELD.findall(fields):
        if field in answer:
            value = answer[field]
            inner = of_each.split(",")
            kept[field] = [_only(inner, one) for one in value] if of_each else value
    return kept


def _only(fields: list[str], resource: dict[str, Any]) -> dict[str, Any]:
    return {field: resource[field] for field in fields if field in resource}


def _resource(bucket: str, name: str, entry: Entry) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{entry.generation}",
        "name": name,
        "bucket": bucket,
        "generation": str(entry.generation),
        "metageneration": "1",
        "size": str(len(entry.body)),
        "contentType": entry.content_type,
        "metadata": entry.metadata,
        "crc32c": _crc32c(entry),
        "updated": MODIFIED,
        "timeCreated": MODIFIED,
    }


def _crc32c(entry: Entry) -> str:
    found = entry.kept.get("crc32c")
    if found is None:
        found = base64.b64encode(google_crc32c.value(entry.body).to_bytes(4)).decode()
        entry.kept["crc32c"] = found
    return found


def _failure(status: int, reason: str) -> Reply:
    said = {"code": status, "message": reason, "errors": [{"reason": reason}]}
    return Reply(status, _JSON, json.dumps({"error": said}).encode())

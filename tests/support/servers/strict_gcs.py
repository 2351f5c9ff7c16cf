"""A proxy that makes fake-gcs-server as strict as Cloud Storage.

fake-gcs-server ignores the generation in a delete or a read, replies to a missing bucket as to a
missing object, and returns all prefixes in one page; gcp-storage-emulator supports no conditions at
all. The proxy asks the server first, and replies itself if Cloud Storage would refuse. It checks
and passes on one request at a time, so that nothing comes in between.

    with running_fake_gcs() as server, running_strict(server) as proxy:
        ...  # a client that talks to proxy.url

Faults planned on this proxy take the place of the checks: put a `FaultProxy` before it instead.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from support.fault_proxy.kinds import Fault
from support.fault_proxy.link import Upstream
from support.fault_proxy.messages import Reply, Request
from support.fault_proxy.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from support.fault_proxy.link import Link
    from support.fault_proxy.record import Recorded
    from support.servers import Server

NO_BUCKET = "The specified bucket does not exist."
NOT_MET = "At least one of the pre-conditions you specified did not hold."

BATCH = "/batch/storage/v1"
DELETION = re.compile(rb"^DELETE (\S+)", re.MULTILINE)

_API = "/storage/v1/b/"
_JSON = (("Content-Type", "application/json; charset=UTF-8"),)


@contextmanager
def running_strict(server: Server) -> Iterator[FaultProxy]:
    """Run the proxy.

    Args:
        server: A running fake-gcs-server or gcp-storage-emulator.

    Yields:
        The proxy, which also counts requests; those of its own are not among them.
    """
    with FaultProxy(server.host, server.port, rewrite_host=server.netloc) as proxy:
        proxy.always(Strict(server=server))
        yield proxy


@dataclass(frozen=True)
class _Call:
    """The target of a request.

    Attributes:
        xml: Whether it speaks the XML API.
        bucket: The bucket.
        name: The object, or None for a listing or a request about the bucket itself.
        query: The query.
    """

    xml: bool
    bucket: str
    name: str | None
    query: dict[str, str]


@dataclass(frozen=True)
class Strict(Fault):
    """Replies to what Cloud Storage would refuse, and passes everything else on.

    Attributes:
        server: The server.
        one_at_a_time: Held from the check to the server's answer.
    """

    server: Server
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Check a request and pass it on to the server."""
        async with self.one_at_a_time:
            upstream = Upstream(self.server.host, self.server.port, self.server.netloc)
            try:
                call = _read(request)
                if call is not None:
                    refusal = await _refusal(upstream, request.method, call)
                else:
                    refusal = await _refused_batch(upstream, request)
                if refusal is not None:
                    return refusal
                reply = await upstream.exchange(
                    Request(
                        method=request.method,
                        target=request.target,
                        version="HTTP/1.1",
                        headers=request.headers,
                        body=request.body,
                        wire_body=request.body,
                    )
                )
                if call is not None and "delimiter" in call.query and reply.status == 200:
                    return _page_of_prefixes(call.query, reply)
                return reply
            finally:
                await upstream.close()


def _read(request: Recorded) -> _Call | None:
    """Find the target of a request; None for requests without a bucket."""
    parts = urlsplit(request.target)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    name: str | None
    if parts.path.startswith(f"/upload{_API}"):
        bucket = parts.path.split("/")[5]
        name = query.get("name") or _name_in(request.body)
        return _Call(xml=False, bucket=unquote(bucket), name=name, query=query)
    path = parts.path.removeprefix("/download")  # the path of the SDK's own downloads
    if path.startswith(_API):
        bucket, _, rest = path.removeprefix(_API).partition("/")
        name = unquote(rest.removeprefix("o/")) if rest.startswith("o/") else None
        return _Call(xml=False, bucket=unquote(bucket), name=name, query=query)
    if parts.path.startswith(("/storage/", "/batch/")):
        return None
    bucket, _, name = parts.path.removeprefix("/").partition("/")
    return _Call(xml=True, bucket=unquote(bucket), name=unquote(name), query=query)


def _name_in(multipart: bytes) -> str:
    """Find the object's name in the first part of a multipart upload."""
    name: str = json.loads(multipart.split(b"\r\n\r\n", 2)[1].split(b"\r\n--", 1)[0])["name"]
    return name


async def _refusal(upstream: Upstream, method: str, call: _Call) -> Reply | None:
    """Give Cloud Storage's reply, if it differs from the server's."""
    if await _ask(upstream, f"{_API}{quote(call.bucket, safe='')}") is None:
        return _error(call, 404, "notFound", "NoSuchBucket", NO_BUCKET)
    if call.name is None:
        return None
    where = f"{_API}{quote(call.bucket, safe='')}/o/{quote(call.name, safe='')}"
    found = await _ask(upstream, where)
    generation = "0" if found is None else str(found["generation"])
    wanted = call.query.get("ifGenerationMatch")
    if method in {"GET", "DELETE"}:
        pinned = call.query.get("generation", generation)
        if found is None or pinned != generation:
            text = f"No such object: {call.bucket}/{call.name}"
            return _error(call, 404, "notFound", "NoSuchKey", text)
    if wanted is not None and wanted != generation:
        return _error(call, 412, "conditionNotMet", "PreconditionFailed", NOT_MET)
    return None


async def _refused_batch(upstream: Upstream, request: Recorded) -> Reply | None:
    """Give Cloud Storage's answer to a batch about a bucket that does not exist."""
    if request.target != BATCH:
        return None
    asked = [urlsplit(one.decode()).path for one in DELETION.findall(request.body)]
    buckets = {path.removeprefix(_API).partition("/")[0] for path in asked}
    if [bucket for bucket in buckets if await _ask(upstream, f"{_API}{bucket}") is not None]:
        return None
    missing = _Call(xml=False, bucket="", name=None, query={})
    said = _error(missing, 404, "notFound", "NoSuchBucket", NO_BUCKET)
    return batch_of([said] * len(asked))


def batch_of(replies: Sequence[Reply]) -> Reply:
    """Give the reply to a batch from the replies to its parts, in order."""
    parts = [
        b"--of_parts\r\nContent-Type: application/http\r\nContent-ID: <response-%d>\r\n\r\n"
        b"HTTP/1.1 %d Said\r\n%s\r\n%s\r\n"
        % (
            number,
            reply.status,
            b"".join(f"{name}: {value}\r\n".encode() for name, value in reply.headers),
            reply.body,
        )
        for number, reply in enumerate(replies)
    ]
    kind = ("Content-Type", "multipart/mixed; boundary=of_parts")
    return Reply(200, (kind,), b"".join([*parts, b"--of_parts--\r\n"]))


def _page_of_prefixes(query: dict[str, str], reply: Reply) -> Reply:
    """Give the requested page of the prefixes, which the server returned all at once."""
    after, limit = query.get("pageToken", ""), int(query.get("maxResults", "1000"))
    found = [p for p in sorted(json.loads(reply.body).get("prefixes") or ()) if p > after]
    page: dict[str, object] = {"kind": "storage#objects", "prefixes": found[:limit]}
    if len(found) > limit:
        page["nextPageToken"] = found[limit - 1]
    return Reply(
        200, (("Content-Type", "application/json; charset=UTF-8"),), json.dumps(page).encode()
    )


async def _ask(upstream: Upstream, target: str) -> dict[str, object] | None:
    """Ask the server for a resource."""
    reply = await upstream.exchange(
        Request(method="GET", target=target, version="HTTP/1.1", headers=(("Host", "server"),))
    )
    found: dict[str, object] | None = json.loads(reply.body) if reply.status == 200 else None
    return found


def _error(call: _Call, status: int, reason: str, code: str, message: str) -> Reply:
    """Format an error as the called API does."""
    if call.xml:
        body = (
            "<?xml version='1.0' encoding='UTF-8'?>"
            f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        )
        return Reply(status, (("Content-Type", "application/xml; charset=UTF-8"),), body.encode())
    detail = {"message": message, "domain": "global", "reason": reason}
    body = json.dumps({"error": {"code": status, "message": message, "errors": [detail]}})
    return Reply(status, _JSON, body.encode())

"""An adapter for a dictionary behind HTTP: ``dict://127.0.0.1:8000/prefix``."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from http.client import parse_headers
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from statebucket import errors
from statebucket.contract.versions import Version
from statebucket.port.bucket import (
    Deletion,
    Limits,
    Object,
    ObjectInfo,
    OpenedBucket,
    Page,
    PrefixPage,
)
from statebucket.port.url import prefix_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.bucket import Location, Write

_KINDS: dict[int, type[errors.StateBucketError]] = {
    401: errors.InvalidCredentials,
    403: errors.AccessDenied,
    412: errors.PreconditionFailed,
    429: errors.Throttled,
}


def open_bucket(location: Location) -> OpenedBucket:  # the entry point: dict = "…:open_bucket"
    if location.options:
        raise errors.InvalidArgument(f"dict:// has no options: {', '.join(location.options)}")
    return OpenedBucket(DictionaryBucket(location.host), prefix_of(location))


class Reply(NamedTuple):
    status: int
    headers: Any
    body: bytes

    def info(self, name: str) -> ObjectInfo:
        size, metadata = int(self.headers["X-Size"]), json.loads(self.headers["X-Metadata"])
        return ObjectInfo(name, Version(self.headers["ETag"]), size, metadata)


class DictionaryBucket:
    name = "dict"
    requires_network = True
    limits = Limits(delete_requests=True)  # the other defaults are right: see Limits

    def __init__(self, host: str) -> None:
        self._host = host

    async def put(self, write: Write, condition: Version | None) -> Version:
        headers = {"X-Metadata": json.dumps(write.metadata), **_condition(condition)}
        if write.expiry is not None and write.expiry.days is not None:
            headers["X-Keep-Days"] = str(write.expiry.days)  # the label that rules use
        reply = await self.request("PUT", _path(write.name), write.body, headers)
        return Version(reply.headers["ETag"])

    async def get(self, name: str) -> Object | None:
        reply = await self.request("GET", _path(name))
        return None if reply.status == 404 else Object(reply.info(name), reply.body)

    async def head(self, name: str) -> ObjectInfo | None:
        reply = await self.request("HEAD", _path(name))
        return None if reply.status == 404 else reply.info(name)

    async def delete(self, name: str, condition: Version | None = None) -> bool:
        reply = await self.request("DELETE", _path(name), headers=_condition(condition))
        return reply.status != 404

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        return [Deletion(name, existed=await self.delete(name)) for name in names]

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        begin = after or start_after or ""
        rows = await self._list(prefix=prefix, after=begin, limit=limit)
        infos = [
            ObjectInfo(name, Version(v), size, data, datetime.fromtimestamp(seconds, UTC))
            for name, v, size, data, seconds in rows
        ]
        return Page(infos, infos[-1].name if len(infos) == limit else None)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        begin = after or start_after or ""
        found = await self._list(prefix=prefix, after=begin, limit=limit, delimiter="/")
        return PrefixPage(found, found[-1] if len(found) == limit else None)

    async def check(self, prefix: str) -> None:
        await self.list(prefix, after=None, limit=1)

    async def close(self) -> None: ...

    async def _list(self, **query: Any) -> Any:
        return json.loads((await self.request("GET", f"/objects?{urlencode(query)}")).body)

    async def request(self, method: str, path: str, body: bytes = b"", headers: Any = 0) -> Reply:
        reply = await self._exchange(method, path, body, headers or {})
        if reply.status in {200, 204, 404}:
            return reply
        code = reply.headers["X-Code"] or str(reply.status)
        said = f"the service answered {code}"
        if reply.status >= 500:  # the core retries temporary errors, within a deadline
            raise errors.Unavailable(said, outcome="unknown", code=code)
        raise _KINDS.get(reply.status, errors.RequestRejected)(said, code=code)

    async def _exchange(self, method: str, path: str, body: bytes, headers: Any) -> Reply:
        said = {"Host": self._host, "Connection": "close", "Content-Length": len(body), **headers}
        head = [f"{method} {path} HTTP/1.1", *(f"{key}: {text}" for key, text in said.items())]
        writer = None
        try:  # no time-out: the core cancels a call that takes too long
            reader, writer = await asyncio.open_connection(*self._host.rsplit(":", 1))
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            status = int((await reader.readline()).split()[1])
            found = parse_headers(BytesIO(await reader.readuntil(b"\r\n\r\n")))
            size = 0 if method == "HEAD" or status == 204 else int(found["Content-Length"])
            return Reply(status, found, await reader.readexactly(size))
        except (OSError, EOFError, ValueError, IndexError) as error:  # the request may have arrived
            raise errors.Unavailable(f"no answer: {error}", outcome="unknown") from error
        finally:
            if writer is not None:
                writer.close()


def _path(name: str) -> str:
    return f"/objects/{quote(name, safe='')}"


def _condition(condition: Version | None) -> dict[str, str]:
    if condition is None:
        return {}
    if condition == Version.ABSENT:
        return {"If-None-Match": "*"}
    if not condition.token.isdecimal():
        raise errors.PreconditionFailed(
            f"{condition.token!r} is not a valid version of this service"
        )
    return {"If-Match": condition.token}

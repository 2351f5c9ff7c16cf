"""An adapter for a dictionary behind HTTP: ``dict://127.0.0.1:8000/prefix``."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from statebucket.bucket import Deletion, Limits, Object, ObjectInfo, OpenedBucket, Page, PrefixPage
from statebucket.errors import InvalidArgument, PreconditionFailed, Unavailable
from statebucket.url import prefix_of
from statebucket.versions import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.bucket import Location, Write


def open_bucket(location: Location) -> OpenedBucket:  # the entry point: dict = "…:open_bucket"
    if location.options:
        raise InvalidArgument(f"dict:// has no options: {', '.join(location.options)}")
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
    limits = Limits(delete_requests=True)  # the rest is the best case: see Limits

    def __init__(self, host: str) -> None:
        self._host = host

    async def put(self, write: Write, condition: Version | None) -> Version:
        headers = {"X-Metadata": json.dumps(write.metadata), **_condition(condition)}
        reply = await self._send("PUT", f"/{quote(write.name, safe='')}", write.body, headers)
        return Version(reply.headers["ETag"])

    async def get(self, name: str) -> Object | None:
        reply = await self._send("GET", f"/{quote(name, safe='')}")
        return None if reply.status == 404 else Object(reply.info(name), reply.body)

    async def head(self, name: str) -> ObjectInfo | None:
        reply = await self._send("HEAD", f"/{quote(name, safe='')}")
        return None if reply.status == 404 else reply.info(name)

    async def delete(self, name: str, condition: Version | None = None) -> bool:
        path = f"/{quote(name, safe='')}"
        return (await self._send("DELETE", path, headers=_condition(condition))).status != 404

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        return [Deletion(name, existed=await self.delete(name)) for name in names]

    async def list(self, prefix: str, *, after: str | None, limit: int) -> Page:
        rows = await self._list(prefix=prefix, after=after or "", limit=limit)
        infos = [ObjectInfo(name, Version(v), size, data) for name, v, size, data in rows]
        return Page(infos, infos[-1].name if len(infos) == limit else None)

    async def list_prefixes(self, prefix: str, *, after: str | None, limit: int) -> PrefixPage:
        found = await self._list(prefix=prefix, after=after or "", limit=limit, delimiter="/")
        return PrefixPage(found, found[-1] if len(found) == limit else None)

    async def check(self, prefix: str) -> None:
        await self.list(prefix, after=None, limit=1)

    async def close(self) -> None: ...

    async def _list(self, **query: Any) -> Any:
        return json.loads((await self._send("GET", f"?{urlencode(query)}")).body)

    async def _send(self, method: str, path: str, body: bytes = b"", headers: Any = None) -> Reply:
        reply = await asyncio.to_thread(self._exchange, method, f"/objects{path}", body, headers)
        if reply.status == 412:
            raise PreconditionFailed("the service answered 412")
        if reply.status not in {200, 204, 404}:  # the core retries what may pass, within a deadline
            raise Unavailable(f"the service answered {reply.status}", outcome="unknown")
        return reply

    def _exchange(self, method: str, path: str, body: bytes, headers: Any) -> Reply:
        connection = HTTPConnection(self._host, timeout=5)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        except (OSError, HTTPException) as error:  # the request may have arrived
            raise Unavailable(f"no answer: {error}", outcome="unknown") from error
        finally:
            connection.close()


def _condition(condition: Version | None) -> dict[str, str]:
    if condition is None:
        return {}
    if condition == Version.ABSENT:
        return {"If-None-Match": "*"}
    if not condition.token.isdecimal():
        raise PreconditionFailed(f"no version of this service: {condition.token!r}")
    return {"If-Match": condition.token}

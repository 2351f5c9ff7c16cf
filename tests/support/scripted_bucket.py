"""An adapter as a third party would write it, whose service fails as scripted.

    bucket = ScriptedBucket(fail(errors.Throttled), hang)
    store = opened(bucket)

Each request takes the next step of the script; without one it goes through.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from statebucket import open_store
from statebucket.errors import Outcome, StateBucketError, Unavailable
from statebucket.port.bucket import Bucket, Limits, OpenedBucket
from statebucket_local.memory import MemoryBucket
from support.virtual_time import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket import StateStore
    from statebucket.contract.versions import Version
    from statebucket.port.bucket import (
        Deletion,
        Location,
        Object,
        ObjectInfo,
        Page,
        PrefixPage,
        Write,
    )

    Send = Callable[[], Awaitable[Any]]
    Step = Callable[[Send], Awaitable[Any]]


class Request(NamedTuple):
    """A request that the service got."""

    operation: str
    about: Any
    at: float


class ScriptedBucket:
    """A bucket in memory, behind a connection that can be cut.

    Args:
        script: The outcomes of the next requests.
        always: The outcome of all requests after those.
        limits: The service's limits.
    """

    name = "scripted"
    requires_network = True

    def __init__(
        self, *script: Step, always: Step | None = None, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.inner = MemoryBucket()
        self.script = deque(script)
        self.always = always
        self.requests: list[Request] = []
        self.broken: dict[str, tuple[int, type[StateBucketError]]] = {}
        self.running = 0
        self.most_running = 0

    @property
    def operations(self) -> list[str]:
        """The requests so far, by their names."""
        return [request.operation for request in self.requests]

    @property
    def times(self) -> list[float]:
        """When they arrived."""
        return [request.at for request in self.requests]

    async def _take(self, operation: str, about: Any, send: Send) -> Any:
        self.requests.append(Request(operation, about, now()))
        left, kind = self.broken.get(operation, (1, StateBucketError))
        if left == 0:
            raise kind("refused")
        if operation in self.broken:
            self.broken[operation] = (left - 1, kind)
        step = self.script.popleft() if self.script else self.always
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await (send() if step is None else step(send))
        finally:
            self.running -= 1

    def refuse(self, *operations: str, after: int, kind: type[StateBucketError]) -> None:
        """Lets some requests of these kinds through, and refuses the ones after them."""
        self.broken.update(dict.fromkeys(operations, (after, kind)))

    async def put(self, write: Write, condition: Version | None) -> Version:
        done: Version = await self._take(
            "put", write.name, lambda: self.inner.put(write, condition)
        )
        return done

    async def get(self, name: str) -> Object | None:
        found: Object | None = await self._take("get", name, lambda: self.inner.get(name))
        return found

    async def head(self, name: str) -> ObjectInfo | None:
        found: ObjectInfo | None = await self._take("head", name, lambda: self.inner.head(name))
        return found

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        gone: bool = await self._take("delete", name, lambda: self.inner.delete(name, condition))
        return gone

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        done: Sequence[Deletion] = await self._take(
            "delete_many", list(names), lambda: self.inner.delete_many(names)
        )
        return done

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        page: Page = await self._take(
            "list",
            prefix,
            lambda: self.inner.list(prefix, after=after, limit=limit, start_after=start_after),
        )
        return page

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        page: PrefixPage = await self._take(
            "list_prefixes",
            prefix,
            lambda: self.inner.list_prefixes(
                prefix, after=after, limit=limit, start_after=start_after
            ),
        )
        return page

    async def check(self, prefix: str) -> None:
        await self._take("check", prefix, lambda: self.inner.check(prefix))

    async def close(self) -> None:
        await self.inner.close()


def open_scripted(location: Location) -> OpenedBucket:
    """The entry point."""
    bucket = location.options["bucket"]
    assert isinstance(bucket, Bucket)
    return OpenedBucket(bucket, location.path.strip("/"))


async def through(send: Send) -> Any:
    """The request goes through."""
    return await send()


async def slowly(send: Send) -> Any:
    """The request goes through, and takes a moment: others get on meanwhile."""
    await asyncio.sleep(0.01)
    return await send()


async def hang(send: Send) -> Any:  # noqa: ARG001
    """The service never answers, and does nothing."""
    await asyncio.Event().wait()


async def done_but_no_answer(send: Send) -> Any:
    """The service carries out the request, and never replies."""
    await send()
    await asyncio.Event().wait()


def fail(
    kind: type[StateBucketError] = Unavailable,
    *,
    outcome: Outcome = "none",
    retry_after: float | None = None,
) -> Step:
    """The service refuses the request."""

    async def step(send: Send) -> Any:  # noqa: ARG001
        raise kind("refused", outcome=outcome, retry_after=retry_after)

    return step


def lose(meanwhile: Callable[[], Awaitable[Any]] | None = None) -> Step:
    """The service carries out the request, something else happens, and the reply is lost."""

    async def step(send: Send) -> Any:
        await send()
        if meanwhile is not None:
            await meanwhile()
        raise Unavailable("the answer is lost", outcome="unknown")

    return step


def answer(value: Any) -> Step:
    """The service replies with this, and does nothing."""

    async def step(send: Send) -> Any:  # noqa: ARG001
        return value

    return step


def take(seconds: float) -> Step:
    """The service takes its time."""

    async def step(send: Send) -> Any:
        await asyncio.sleep(seconds)
        return await send()

    return step


def opened(bucket: Bucket, **options: Any) -> StateStore:
    """A store on it, found like a third party's; needs the fixture ``_scripted``."""
    return open_store("scripted://host/p", bucket=bucket, **options)

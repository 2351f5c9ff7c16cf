"""The blocking store as an asynchronous one again, so that the contract suite can test it.

Each call runs in a thread, as a handler's would, and blocks that thread.
"""

from __future__ import annotations

import asyncio
from typing import Any

from statebucket import StateStore
from statebucket.contract.calls import Kind, declared
from statebucket.contract.execution import ExecutionStore
from statebucket.contract.lease import Lease
from statebucket.contract.writer import SnapshotWriter

_END = object()


class Awaited:
    """What the classes below share."""

    def __init__(self, blocking: Any) -> None:
        self.blocking = blocking

    def __repr__(self) -> str:
        return repr(self.blocking)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.blocking, name)  # or the error that it raises

    async def __aenter__(self) -> Any:
        return wrapped(await asyncio.to_thread(self.blocking.__enter__))

    async def __aexit__(self, *error: object) -> Any:
        return await asyncio.to_thread(self.blocking.__exit__, *error)


def wrapped(value: Any) -> Any:
    """A blocking object as an asynchronous one; anything else as it is."""
    kinds = {
        "BlockingStateStore": AwaitedStore,
        "BlockingExecutionStore": AwaitedExecution,
        "BlockingLease": AwaitedLease,
        "BlockingSnapshotWriter": AwaitedWriter,
        "_Block": Awaited,
    }
    kind = kinds.get(type(value).__name__)
    return value if kind is None else kind(value)


def _plain(value: Any) -> Any:
    return value.blocking if isinstance(value, Awaited) else value


def _method(name: str, kind: Kind) -> Any:
    def call(self: Awaited, *args: Any, **kwargs: Any) -> Any:
        plain = {key: _plain(value) for key, value in kwargs.items()}
        return getattr(self.blocking, name), args, plain

    if kind is Kind.CALL:

        async def method(self: Awaited, *args: Any, **kwargs: Any) -> Any:
            function, args, plain = call(self, *args, **kwargs)
            return wrapped(await asyncio.to_thread(function, *args, **plain))

        return method
    if kind is Kind.ITERATOR:

        async def iterate(self: Awaited, *args: Any, **kwargs: Any) -> Any:
            function, args, plain = call(self, *args, **kwargs)
            items = function(*args, **plain)
            while (item := await asyncio.to_thread(next, items, _END)) is not _END:
                yield item

        return iterate

    def plain_method(self: Awaited, *args: Any, **kwargs: Any) -> Any:
        function, args, plain = call(self, *args, **kwargs)
        return wrapped(function(*args, **plain))

    return plain_method


def _attribute(name: str) -> Any:
    return property(lambda self: getattr(self.blocking, name))


def _class(source: type, *attributes: str) -> type[Awaited]:
    calls = declared(source)
    names = [*attributes, *(name for name in dir(source) if not name.startswith("_"))]
    members = {
        name: _method(name, calls[name].kind) if name in calls else _attribute(name)
        for name in names
    }
    return type(f"Awaited{source.__name__}", (Awaited,), members)


AwaitedStore = _class(StateStore)
AwaitedExecution = _class(ExecutionStore)
AwaitedLease = _class(Lease, "execution_id", "tenant_id", "fence")
AwaitedWriter = _class(SnapshotWriter, "saved", "dropped", "failed", "version")

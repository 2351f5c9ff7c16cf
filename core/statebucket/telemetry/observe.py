"""Counts the calls of a store, and has them observed where telemetry is on."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.contract.state_store import StateStore
from statebucket.errors import StaleSnapshot, VersionConflict
from statebucket.telemetry import switch as telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from statebucket.telemetry.spans import Observation

T = TypeVar("T")

_UNCOUNTED = frozenset({"shutdown"})
_OF_TENANT = frozenset({"list_snapshots", "iter_snapshots", "delete_tenant"})
_LOST = (VersionConflict, StaleSnapshot)


def observed(store: type[T]) -> type[T]:
    """Wraps each call of the contract that a store's class implements."""
    for name in dir(StateStore):
        declared = getattr(StateStore, name)
        if name.startswith("_") or name in _UNCOUNTED or not inspect.isfunction(declared):
            continue
        method = getattr(store, name)
        if inspect.iscoroutinefunction(declared):
            setattr(store, name, _coroutine(name, method))
        elif name.startswith("iter_"):
            setattr(store, name, _iterator(name, method))
        elif name == "lease":
            setattr(store, name, _context(name, method))
    return store


def _coroutine(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (any method's)
        counter = self.context.objects.counter
        counter.add("calls")
        instruments = telemetry.active()
        if instruments is None:
            try:
                return await method(self, *args, **kwargs)
            except _LOST:
                counter.add("conflicts")
                raise
        observation = instruments.observe(name, self.name, _tenant(self, name, args, kwargs))
        try:
            with observation:
                try:
                    result = await method(self, *args, **kwargs)
                except _LOST:
                    counter.add("conflicts")
                    raise
            _learn(observation, result)
        finally:
            observation.end()
        return result

    return call


def _iterator(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (any method's)
        self.context.objects.counter.add("calls")
        instruments = telemetry.active()
        items = method(self, *args, **kwargs)
        if instruments is None:
            return items
        return _iterate(
            items, instruments.observe(name, self.name, _tenant(self, name, args, kwargs))
        )

    return call


async def _iterate(items: Any, observation: Observation) -> AsyncIterator[Any]:  # noqa: ANN401
    end = object()
    try:
        while True:
            with observation:  # not while the caller has the item, who has spans of its own
                item = await anext(items, end)
            if item is end:
                return
            yield item
    finally:
        await items.aclose()
        observation.end()


def _context(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (any method's)
        self.context.objects.counter.add("calls")
        instruments = telemetry.active()
        held = method(self, *args, **kwargs)
        if instruments is None:
            return held
        return _Entered(held, instruments.observe(name, self.name, self.context.tenant))

    return call


class _Entered:
    """A context manager whose entering is observed."""

    def __init__(self, manager: AbstractAsyncContextManager[Any], observation: Observation) -> None:
        self._manager = manager
        self._observation = observation

    async def __aenter__(self) -> Any:  # noqa: ANN401  (the manager's)
        try:
            with self._observation:
                return await self._manager.__aenter__()
        finally:
            self._observation.end()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, trace)


def _tenant(store: Any, name: str, args: Any, kwargs: Any) -> str | None:  # noqa: ANN401
    """The tenant that a call is for, as far as its arguments tell."""
    if store.context.tenant is not None:
        return str(store.context.tenant)
    if name == "sweep":
        tenant_id = kwargs.get("tenant")
    elif name == "save_snapshot":
        tenant_id = getattr(_first(args, kwargs, "snapshot"), "tenant_id", None)
    elif name in _OF_TENANT:
        tenant_id = _first(args, kwargs, "tenant_id")
    else:
        return None
    return tenant_id if isinstance(tenant_id, str) else None


def _first(args: Any, kwargs: Any, name: str) -> Any:  # noqa: ANN401  (any method's)
    """An argument that stands first where it is not given by its name."""
    return args[0] if args else kwargs.get(name)


def _learn(observation: Observation, result: Any) -> None:  # noqa: ANN401  (any method's)
    """Takes the tenant from a snapshot that was loaded without one."""
    tenant_id = getattr(getattr(result, "value", result), "tenant_id", None)
    if isinstance(tenant_id, str):
        observation.tenant(tenant_id)

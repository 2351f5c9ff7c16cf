"""Counts the calls of a store, and observes them if telemetry is on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.contract.calls import Kind, declared
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import StateStore
from statebucket.contract.versions import Stored
from statebucket.errors import StaleSnapshot, VersionConflict
from statebucket.telemetry import switch as telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from statebucket.contract.calls import Declaration
    from statebucket.telemetry.spans import Observation

T = TypeVar("T")

_LOST = (VersionConflict, StaleSnapshot)


def observed(store: type[T]) -> type[T]:
    """Wraps each counted call of the contract that a store's class implements."""
    for name, declaration in declared(StateStore).items():
        if declaration.counted:
            _observe(store, name, getattr(StateStore, name), declaration)
    return store


def observing(contract: type[Any], name: str) -> Callable[[type[T]], type[T]]:
    """Wraps one more call of a store's class, which another class of the contract declares."""

    def wrap(store: type[T]) -> type[T]:
        _observe(store, name, getattr(contract, name), declared(contract)[name])
        return store

    return wrap


def _observe(
    store: type[Any], name: str, source: Callable[..., Any], declaration: Declaration
) -> None:
    tenant = _TenantArgument(source, declaration)
    call: Any = _WRAPPERS[declaration.kind](name, getattr(store, name), tenant)
    # `help` looks for the docstring in the bases of the class that a method names.
    call.__module__, call.__qualname__ = store.__module__, f"{store.__qualname__}.{name}"
    setattr(store, name, call)


class _TenantArgument:
    """The argument of a call that names its tenant."""

    def __init__(self, method: Callable[..., Any], declaration: Declaration) -> None:
        self._attribute = declaration.tenant_of is not None
        self._name = declaration.tenant_of or declaration.tenant
        code = method.__code__  # importing `inspect` would add 8 ms to a cold start
        parameters = code.co_varnames[1 : code.co_argcount]  # without self
        self._position = len(parameters)
        if self._name in parameters:
            self._position = parameters.index(self._name)

    def of(self, store: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:  # noqa: ANN401
        """The tenant that a call is for, as far as its arguments show."""
        if store.context.tenant is not None:
            return str(store.context.tenant)
        if self._name is None:
            return None
        at = self._position
        found = args[at] if at < len(args) else kwargs.get(self._name)
        tenant_id = getattr(found, "tenant_id", None) if self._attribute else found
        return tenant_id if isinstance(tenant_id, str) else None


def _coroutine(
    name: str, method: Callable[..., Any], tenant: _TenantArgument
) -> Callable[..., Any]:
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
        observation = instruments.observe(name, self.name, tenant.of(self, args, kwargs))
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


def _iterator(name: str, method: Callable[..., Any], tenant: _TenantArgument) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (any method's)
        self.context.objects.counter.add("calls")
        instruments = telemetry.active()
        items = method(self, *args, **kwargs)
        if instruments is None:
            return items
        return _iterate(items, instruments.observe(name, self.name, tenant.of(self, args, kwargs)))

    return call


async def _iterate(items: Any, observation: Observation) -> AsyncIterator[Any]:  # noqa: ANN401
    end = object()
    try:
        while True:
            with observation:  # not while the caller works on the item, in spans of its own
                item = await anext(items, end)
            if item is end:
                return
            yield item
    finally:
        await items.aclose()
        observation.end()


def _context(name: str, method: Callable[..., Any], tenant: _TenantArgument) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (any method's)
        self.context.objects.counter.add("calls")
        instruments = telemetry.active()
        held = method(self, *args, **kwargs)
        if instruments is None:
            return held
        return _Entered(held, instruments.observe(name, self.name, tenant.of(self, args, kwargs)))

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

    if not TYPE_CHECKING:  # hidden from type checkers

        def __getattr__(self, name: str) -> object:
            return getattr(self._manager, name)

        def __await__(self) -> object:
            return self._manager.__await__()

        def __enter__(self) -> object:
            return self._manager.__enter__()

        def __exit__(self, *error: object) -> None:
            """Never called: the block is never entered."""


def _learn(observation: Observation, result: Any) -> None:  # noqa: ANN401  (any method's)
    """Takes the tenant from a snapshot that was loaded without one."""
    loaded = result.value if isinstance(result, Stored) else result
    if isinstance(loaded, ExecutionSnapshot):  # a caller's own type may have such a field, too
        observation.tenant(loaded.tenant_id)


_WRAPPERS = {Kind.CALL: _coroutine, Kind.ITERATOR: _iterator, Kind.CONTEXT: _context}

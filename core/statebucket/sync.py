"""The blocking store, for plain handlers: ``from statebucket.sync import open_store``.

It has the calls of `statebucket.StateStore`, without ``await``: a call blocks its thread until the
answer arrives, an async iterator becomes an iterator, an async context manager a plain one. The
methods are generated from the asynchronous ones, so that each is defined only once; ``sync.pyi``
describes them to editors and type checkers. Each is generated when it is first asked for, as are
the classes that a first load does not need: all at once would cost a cold start 2 ms.

Over SQLite, memory and ``engine=http`` a call runs in the caller's own thread: no event loop, no
other thread, no asyncio. (Only the first decoding to a type of the caller's looks into it in
another, see `statebucket.port.complete_types`.) Calls that send many requests at the same time
(a lease, a writer, a sweep) and calls that use an SDK run in one background thread with an event
loop. All blocking stores of the process share it, and it keeps connections open between calls.

A store may be used at module scope, from several threads, inside a running event loop (which a call
blocks), after a fork, and in a signal handler, no matter which call it interrupts: none holds a
lock. (Those of Python remain: a handler that interrupts an import or a logging call may wait
forever. A first call imports what it needs.) A call that is interrupted (KeyboardInterrupt) is
cancelled. Stores that are still open at interpreter exit are closed then. A call that comes later,
of a signal handler or of a function registered with `atexit`, works; one that runs in the
background thread then closes the connections that it opened.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from statebucket.background import background, close_at_exit
from statebucket.contract.calls import Kind, declared
from statebucket.contract.wording import for_blocking, types_for_blocking
from statebucket.errors import UnsupportedOperation
from statebucket.opening import open_store as _open_store
from statebucket.port.waiting import step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator
    from types import TracebackType

    from statebucket.contract.calls import Declaration

T = TypeVar("T")

_AWAITED = (
    "this is the blocking store: write with, for, and calls without await; or take open_store from "
    "statebucket, whose calls are awaited"
)


class _Blocking:
    """What the blocking classes share: the asynchronous object behind them."""

    __slots__ = ("__steps__", "__weakref__", "__wrapped__")

    def __init__(self, target: Any) -> None:  # noqa: ANN401  (any of the classes below)
        self.__wrapped__ = target
        self.__steps__ = not getattr(target, "needs_loop", True)

    def __repr__(self) -> str:
        return f"<blocking {self.__wrapped__!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.__wrapped__,)

    def __enter__(self) -> Any:  # noqa: ANN401  (the stub says which)
        return _blocking(self._runner().run(self.__wrapped__.__aenter__()), self)

    def __await__(self) -> Any:  # noqa: ANN401  (never returns)
        raise UnsupportedOperation(_AWAITED)

    async def __aenter__(self) -> Any:  # noqa: ANN401  (never returns)
        raise UnsupportedOperation(_AWAITED)

    async def __aexit__(self, *error: object) -> None:
        """Never called: the block is never entered."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        result: bool | None = self._runner().run(self.__wrapped__.__aexit__(kind, error, trace))
        return result

    def _runner(self) -> _Runner:
        return _in_this_thread if self.__steps__ else _in_the_loop


class _Block(_Blocking):
    """A context manager; using it without ``with`` raises an error that says to enter it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (never returns)
        return getattr(self.__wrapped__, name)  # raises, since it is not entered yet


def _unpickled(target: Any) -> Any:  # noqa: ANN401  (of any blocking class)
    close_at_exit(target)  # as a store that is opened here
    return _blocking(target)


def _blocking(value: Any, same: _Blocking | None = None) -> Any:  # noqa: ANN401
    """The blocking form of what an asynchronous call returned."""
    if same is not None and value is same.__wrapped__:
        return same
    for name, (module, contract, _) in _SOURCES.items():
        # Without the module there is no object of the class, nor before it has its class, while
        # another thread imports it.
        kind = getattr(sys.modules.get(module), contract, None)
        if kind is not None and isinstance(value, kind):
            return _class_named(name)(value)
    return value


class _Method:
    """A blocking method until it is first asked for, and made.

    Args:
        source: The asynchronous one.
        declaration: What is declared of it.
    """

    __slots__ = ("_declaration", "_name", "_owner", "_source")

    def __init__(self, source: Callable[..., Any], declaration: Declaration) -> None:
        self._source = source
        self._declaration = declaration

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, kind: type[Any]) -> Any:  # noqa: ANN401  (bound, or not)
        made = _method(self._name, self._source, self._declaration)
        setattr(self._owner, self._name, made)
        return made.__get__(instance, kind)


def _method(name: str, source: Callable[..., Any], declaration: Declaration) -> Callable[..., Any]:
    """The blocking method for an asynchronous one."""
    give = _GIVE[declaration.kind]
    concurrent = declaration.concurrent

    @functools.wraps(source)
    def call(self: _Blocking, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        target = self.__wrapped__
        runner: _Runner = _in_this_thread if self.__steps__ else _in_the_loop
        if concurrent is True or (isinstance(concurrent, str) and kwargs.get(concurrent)):
            runner = _in_the_loop
        for key, value in kwargs.items():
            if isinstance(value, _Blocking):  # a lease, which lives in the loop
                kwargs[key] = value.__wrapped__
                runner = _in_the_loop
        return give(runner, functools.partial(getattr(target, name), *args, **kwargs))

    return _described(call, source)


def _described(call: Callable[..., Any], source: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a blocking call the docstring and signature of the asynchronous one, adapted."""
    call.__doc__ = for_blocking(source.__doc__)
    # For `inspect.signature`, and so `help`: the same arguments with other types.
    twin = types.FunctionType(source.__code__, {}, source.__name__, source.__defaults__)
    twin.__kwdefaults__ = source.__kwdefaults__
    twin.__annotations__ = call.__annotations__ = types_for_blocking(source.__annotations__)
    vars(call)["__wrapped__"] = twin
    return call


class _Runner(Protocol):
    """Where the coroutines of a blocking object run."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine, and waits for it."""

    def iterate(self, items: AsyncIterator[T]) -> Generator[T, None, None]:
        """An iterator over an asynchronous iterator; closing it closes that one."""


class _InThisThread:
    """Steps them in the caller's thread; see `statebucket.port.waiting`."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return step(work)

    def iterate(self, items: AsyncIterator[T]) -> Generator[T, None, None]:
        return _iterate(items, step, lambda: True)


class _InTheLoop:
    """Runs them in the background loop, which is started if necessary."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            thread = background()
        except BaseException:
            work.close()  # or Python would warn that it was never awaited
            raise
        return thread.run(work)

    def iterate(self, items: AsyncIterator[T]) -> Generator[T, None, None]:
        thread = background()
        return _iterate(items, thread.run, thread.can_be_asked)


_in_this_thread = _InThisThread()
_in_the_loop = _InTheLoop()


class _Items(Generic[T]):
    """A blocking iterator; using it with ``async for`` raises an error that says so."""

    __slots__ = ("_items",)

    def __init__(self, items: Generator[T, None, None]) -> None:
        self._items = items

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def close(self) -> None:
        """Ends it early, as the garbage collector does with an iterator that is no longer used."""
        self._items.close()

    def __aiter__(self) -> Self:
        raise UnsupportedOperation(_AWAITED)


def _iterate(
    items: AsyncIterator[T],
    run: Callable[[Coroutine[Any, Any, Any]], Any],
    can_be_asked: Callable[[], bool],
) -> Generator[T, None, None]:
    end = object()

    async def following() -> Any:  # noqa: ANN401
        return await anext(items, end)

    # What `following` raises, Ctrl-C too, ends the items by itself; until they have ended in the
    # loop, closing them would be an error that hides the first.
    while (item := run(following())) is not end:
        try:
            yield item
        except BaseException:
            close = getattr(items, "aclose", None)
            if close is not None and can_be_asked():
                run(close())
            raise


async def _schedule(method: Callable[[], T]) -> T:
    """Calls a plain method that needs a running event loop."""
    return method()


_GIVE: dict[Kind, Callable[[_Runner, Callable[[], Any]], Any]] = {
    Kind.CALL: lambda runner, method: runner.run(method()),
    Kind.ITERATOR: lambda runner, method: _Items(runner.iterate(method())),
    Kind.CONTEXT: lambda _, method: _Block(method()),
    Kind.VIEW: lambda _, method: _blocking(method()),
    Kind.PLAIN: lambda _, method: method(),
    Kind.SCHEDULED: lambda runner, method: runner.run(_schedule(method)),
}


def _class(name: str, source: type[Any], doc: str) -> type[Any]:
    """Makes the blocking class for an asynchronous one."""
    members: dict[str, Any] = {"__slots__": (), "__doc__": doc, "__module__": __name__}
    calls = declared(source)
    for attribute in [*dir(source), *source.__annotations__]:
        if attribute in calls:
            found = getattr(source, attribute)
            members[attribute] = _Method(found, calls[attribute])
        elif not attribute.startswith("_"):
            members[attribute] = _attribute(attribute, _plain_attribute(source, attribute))
    return type(name, (_Blocking,), members)


def _plain_attribute(source: type[Any], name: str) -> object:
    """An attribute of a class, as it is defined: a property, not its value."""
    found = [vars(base)[name] for base in source.__mro__ if name in vars(base)]
    return found[0] if found else source


def _attribute(name: str, found: object) -> property:
    doc = f"See `{found.__name__}`." if isinstance(found, type) else getattr(found, "__doc__", None)
    return property(lambda self: getattr(self.__wrapped__, name), doc=doc)


_SOURCES = {  # of each blocking class: the asynchronous one's module and name, and a docstring
    "BlockingStateStore": (
        "statebucket.contract.state_store",
        "StateStore",
        "A `StateStore` whose calls block; see `statebucket.StateStore` for what each promises.",
    ),
    "BlockingExecutionStore": (
        "statebucket.contract.execution",
        "ExecutionStore",
        "An `ExecutionStore` whose calls block; see `statebucket.ExecutionStore`.",
    ),
    "BlockingLease": (
        "statebucket.contract.lease",
        "Lease",
        "A `Lease`, held inside ``with``.",
    ),
    "BlockingSnapshotWriter": (
        "statebucket.contract.writer",
        "SnapshotWriter",
        "A `SnapshotWriter`, used inside ``with``.",
    ),
}


def _class_named(name: str) -> type[Any]:
    """The blocking class of a name, which is made at the first call."""
    made: type[Any] | None = globals().get(name)
    if made is None:
        module, source, doc = _SOURCES[name]
        made = _class(name, getattr(importlib.import_module(module), source), doc)
        made = globals().setdefault(name, made)  # one, whichever thread was first
    return made


BlockingStateStore = _class_named("BlockingStateStore")


if not TYPE_CHECKING:  # which has the stub

    def __getattr__(name: str) -> type[Any]:
        """The classes that are made when they are first asked for."""
        if name not in _SOURCES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _class_named(name)


@functools.wraps(_open_store)
def open_store(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (the stub says which)
    """As `statebucket.open_store`, with a store whose calls block."""
    store = _open_store(*args, **kwargs)
    close_at_exit(store)
    return BlockingStateStore(store)


_described(open_store, _open_store)

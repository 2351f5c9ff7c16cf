"""The blocking store, for plain handlers: ``from statebucket.sync import open_store``.

It has the calls of `statebucket.StateStore`, without ``await``: a call blocks its thread until the
answer arrives, an async iterator becomes an iterator, an async context manager a plain one. The
methods are generated from the asynchronous ones, so that each is defined only once; ``sync.pyi``
describes them to editors and type checkers. Each is generated when it is first asked for, as are
the classes that a first load does not need: all at once would cost a cold start 2 ms.

Over SQLite, memory and ``engine=http`` a call runs in the caller's own thread: no event loop, no
other thread, no asyncio. Calls that send many requests at the same time (a lease, a writer, a
sweep) and calls that use an SDK run in one background thread with an event loop. All blocking
stores of the process share it, and it keeps connections open between calls.

A store may be used at module scope, from several threads, inside a running event loop (which a call
blocks), after a fork, and in a signal handler, no matter which call it interrupts: none holds a
lock. (Those of Python remain: a handler that interrupts an import or a logging call may wait
forever. A first call imports what it needs.) A call that is interrupted (KeyboardInterrupt) is
cancelled. Stores that are still open at interpreter exit are closed then. A call that comes later,
of a signal handler or of a function registered with `atexit`, works; one that runs in the
background thread then closes the connections that it opened.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import os
import sys
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from statebucket.contract.calls import Kind, declared
from statebucket.contract.wording import for_blocking, types_for_blocking
from statebucket.errors import Unavailable, UnsupportedOperation
from statebucket.opening import open_store as _open_store
from statebucket.port.lock_free_future import LockFreeFuture
from statebucket.port.waiting import step

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
    from types import TracebackType

    from statebucket.contract.calls import Declaration
    from statebucket.store.objects import Objects

T = TypeVar("T")

_CLOSING_SECONDS = 2.0
_EXITED = "the interpreter has exited, so nothing is sent any more"


class _Background:
    """A thread with an event loop, in one process.

    Attributes:
        loop: The loop.
        exiting: Whether the interpreter is exiting, so that the last call closes what it opened.
    """

    exiting: ClassVar[bool] = False

    def __init__(self) -> None:
        # On 3.11 the thread's start would wait for ever; a subinterpreter must not leave a thread.
        if sys.is_finalizing() or (self.exiting and _in_a_subinterpreter()):
            raise Unavailable(_EXITED)
        self.pid = os.getpid()
        self._running: set[object] = set()  # calls
        made: LockFreeFuture[asyncio.AbstractEventLoop] = LockFreeFuture()
        self._thread = threading.Thread(
            target=_serve, args=(made,), name="statebucket-sync", daemon=True
        )
        try:
            self._thread.start()
            self.loop: asyncio.AbstractEventLoop = made.result()
        # At interpreter exit on 3.12 and later; or there are too many threads, or open files.
        except (RuntimeError, OSError) as error:
            raise Unavailable(f"the blocking store cannot start its event loop: {error}") from error

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the loop, and waits for it in this thread.

        If the interpreter is exiting, the last call in progress closes every store's connections.
        """
        if self.pid != os.getpid():
            work.close()
            raise UnsupportedOperation("an iterator cannot be used after a fork: create a new one")
        if threading.current_thread() is self._thread:
            work.close()
            raise UnsupportedOperation(
                "a callback (progress, clock) must not call the blocking store: it would deadlock"
            )
        if sys.is_finalizing() or self.loop.is_closed():  # the thread does not run any more
            work.close()
            raise Unavailable(_EXITED)
        use = object()
        try:
            self._running.add(use)  # before it begins: a signal handler's call would cut it off
            call = _Call(work, self.loop)
            try:
                return call.future.result()
            except BaseException:
                call.leave()
                raise
        finally:
            self._running.discard(use)
            # Others would be cut off; a forked child's copy has no thread.
            if self.exiting and not self._running and self.pid == os.getpid():
                self.shut_down()

    def can_be_asked(self) -> bool:
        """Whether something can be closed in the loop from this thread.

        Not from the loop's own thread, in which the garbage collector may find an abandoned
        iterator.
        """
        ended = sys.is_finalizing() or self.loop.is_closed()
        here = self.pid == os.getpid() and not ended
        return here and threading.current_thread() is not self._thread

    def shut_down(self) -> None:
        """Closes the connections of every store of this process.

        The loop goes on: a signal handler may interrupt this, and other functions that run at exit
        follow it. Their calls could start no other thread on Python 3.12 and later. A request of
        another thread that is cut off is sent again.
        """
        closing = _Call(_shut_down(_all_open()), self.loop)
        # A request that hangs must not keep the interpreter from exiting.
        with contextlib.suppress(TimeoutError):
            closing.future.result(_CLOSING_SECONDS)

    def stop(self) -> None:
        """Ends the loop; no call may be running in it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_CLOSING_SECONDS)
        if not self._thread.is_alive():
            self.loop.close()


def _serve(made: LockFreeFuture[asyncio.AbstractEventLoop]) -> None:
    """Makes a loop, and runs it until it is stopped.

    The thread makes it, not the caller: a signal handler cannot interrupt the thread, and waits in
    vain for a lock of asyncio, or for its import, if it has interrupted them.

    asyncio also raises a callback's SystemExit and KeyboardInterrupt here; only the caller may get
    them.
    """
    try:
        import asyncio  # noqa: PLC0415  (20 ms that only a loop costs)

        loop = asyncio.new_event_loop()
    except BaseException as error:  # noqa: BLE001  (passed on to the caller)
        made.set_exception(error)
        return
    made.set_result(loop)
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            continue
        return


class _Call(Generic[T]):
    """A coroutine that runs in a loop in another thread.

    It is not `asyncio.run_coroutine_threadsafe`, whose future has a lock; see
    `statebucket.port.lock_free_future`.

    Args:
        work: The coroutine.
        loop: The loop.

    Attributes:
        future: Its result.
    """

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self.future: LockFreeFuture[T] = LockFreeFuture()
        self._work = work
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        try:
            loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # it is closed
            work.close()
            raise

    def leave(self) -> None:
        """Cancels it if it still runs: no one waits for it any more."""
        if not self.future.done():
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._cancel)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._settle())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.add_done_callback(lambda _: self._work.close())  # if it had not begun
            self._task.cancel()

    async def _settle(self) -> None:
        try:
            result = await self._work
        except BaseException as error:  # noqa: BLE001  (only the caller may get it)
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


_backgrounds: dict[int, _Background] = {}  # by process; a fork forgets its parent's
# What is open, by its identity. Not stores: a view may outlive its store.
_open: weakref.WeakValueDictionary[int, Objects] = weakref.WeakValueDictionary()


def _all_open() -> list[Objects]:
    """What is open, to which a signal handler or another thread may add some meanwhile."""
    return [found for ref in _open.valuerefs() if (found := ref()) is not None]


def _close_at_exit(store: Any) -> None:  # noqa: ANN401  (a store, or an execution of one)
    objects: Objects = store.context.objects
    _open[id(objects)] = objects


def _loop() -> _Background:
    """The process's thread with a loop, which the first call starts.

    There is no lock: a signal handler would wait forever for one that the interrupted call holds.
    If two callers start a loop at the same time, one of the two is stopped again.
    """
    current = _backgrounds.get(os.getpid())
    if current is None:
        _refuse_greenlets()
        made = _Background()
        current = _backgrounds.setdefault(made.pid, made)
        if current is not made:
            made.stop()
    return current


def _refuse_greenlets() -> None:
    """Refuses to start the loop where gevent has patched threads to be greenlets.

    The loop would then be running in every greenlet, and Django's ORM, for one, refuses to work
    where a loop is running.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise UnsupportedOperation(
            "a blocking store needs a thread of its own, and gevent has replaced threads by "
            "greenlets: use it in a process that is not patched, or leave these modules unpatched: "
            "gevent.monkey.patch_all(thread=False, queue=False, socket=False, select=False)"
        )


def _after_fork() -> None:
    # The parent's thread does not exist here. The parent closes its connections: dropping them here
    # unclosed needs no warning.
    while _backgrounds:
        loop = _backgrounds.popitem()[1].loop
        loop.set_exception_handler(lambda _loop, _context: None)
        # The kernel's list of sockets that the loop watches is shared with the parent. Closing a
        # connection here would remove it from that list, and the parent would wait in vain for its
        # next answer.
        import asyncio  # noqa: PLC0415  (as above)

        if isinstance(loop, asyncio.BaseEventLoop):
            vars(loop)["_closed"] = True  # as `close` does


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    _Background.exiting = True
    background = _backgrounds.get(os.getpid())
    if background is not None:
        background.shut_down()
        if _in_a_subinterpreter():  # Python aborts where one ends and has left a thread
            background.stop()
            _backgrounds.clear()


def _in_a_subinterpreter() -> bool:
    """Whether this is not the process's first interpreter (of mod_wsgi, say).

    Signal handlers run only in the first one's main thread, so no other may set one.
    """
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415  (mod_wsgi replaces signal's)

    try:
        _signal.signal(_signal.SIGINT, None)  # nor can the first set None
    except ValueError:
        return True
    except TypeError:
        return False
    raise AssertionError("unreachable: a signal handler was None")


async def _shut_down(stores: Sequence[Objects]) -> None:
    import asyncio  # noqa: PLC0415  (as above)

    await asyncio.gather(*(objects.close() for objects in stores), return_exceptions=True)
    # Calls that Ctrl-C has cancelled clean up first.
    ending = [task for task in asyncio.all_tasks() if task.cancelling()]
    await asyncio.gather(*ending, return_exceptions=True)


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
    _close_at_exit(target)  # as a store that is opened here
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
            background = _loop()
        except BaseException:
            work.close()  # or Python would warn that it was never awaited
            raise
        return background.run(work)

    def iterate(self, items: AsyncIterator[T]) -> Generator[T, None, None]:
        background = _loop()
        return _iterate(items, background.run, background.can_be_asked)


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
    _close_at_exit(store)
    return BlockingStateStore(store)


_described(open_store, _open_store)

"""The thread with an event loop in which the blocking stores of a process run some of their calls.

Those are calls that send many requests at the same time, and calls through an SDK. The thread is
started by the first of them and lives until the process ends: at interpreter exit the connections
are closed, but calls of signal handlers and of functions registered with `atexit` still come.

Nothing here holds a lock, which a signal handler could wait for in vain.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from statebucket.errors import Unavailable, UnsupportedOperation
from statebucket.port.lock_free_future import LockFreeFuture

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Sequence

    from statebucket.store.objects import Objects

T = TypeVar("T")

_CLOSING_SECONDS = 2.0
_EXITED = "the interpreter has exited, so nothing is sent any more"


class Background:
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


_backgrounds: dict[int, Background] = {}  # by process; a fork forgets its parent's
# What is open, by its identity. Not stores: a view may outlive its store.
_open: weakref.WeakValueDictionary[int, Objects] = weakref.WeakValueDictionary()


def _all_open() -> list[Objects]:
    """What is open, to which a signal handler or another thread may add some meanwhile."""
    return [found for ref in _open.valuerefs() if (found := ref()) is not None]


def close_at_exit(store: Any) -> None:  # noqa: ANN401  (a store, or an execution of one)
    """Closes a store's connections at interpreter exit, unless it is no longer used by then."""
    objects: Objects = store.context.objects
    _open[id(objects)] = objects


def background() -> Background:
    """The process's thread with a loop, which the first call starts.

    There is no lock: a signal handler would wait forever for one that the interrupted call holds.
    If two callers start a loop at the same time, one of the two is stopped again.
    """
    current = _backgrounds.get(os.getpid())
    if current is None:
        _refuse_greenlets()
        made = Background()
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
    Background.exiting = True
    current = _backgrounds.get(os.getpid())
    if current is not None:
        current.shut_down()
        if _in_a_subinterpreter():  # Python aborts where one ends and has left a thread
            current.stop()
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

"""Threads for a blocking SDK, in a bounded number that hung calls can hold."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import Unavailable
from statebucket.port.threads import begun

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")


class Threads:
    """A bounded pool of threads, for any number of event loops in one process.

    A caller that is cancelled, for example at its deadline, leaves at once; its call keeps the
    thread until it calls `check` or ends. Such threads are counted in ``held``.

    Args:
        size: The most threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._lock = threading.Lock()
        self._local = threading.local()
        self._executor = _executor(size)

    async def run(self, job: Callable[[], T]) -> T:
        """Runs a blocking call in a thread.

        Raises:
            Unavailable: All threads are held by calls whose callers have left.
        """
        if self.held >= self.size:
            raise Unavailable(
                f"all {self.size} threads are busy with calls to Cloud Storage that have timed out "
                "or been cancelled"
            )
        gone = threading.Event()

        def work() -> T:
            self._local.gone = gone
            return job()

        future = self._submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            gone.set()
            if not future.cancel():  # it runs, and nothing else can stop it
                with self._lock:
                    self.held += 1
                future.add_done_callback(self._give_back)
            raise

    def check(self, what: str) -> None:
        """Ends a call in one of these threads if its caller has left.

        Args:
            what: How far the call has come, for the error's message.

        Raises:
            Unavailable: Its caller has left.
        """
        if self._local.gone.is_set():
            raise Unavailable(f"the call was cancelled or timed out: {what}")

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        """Runs it in a thread; at interpreter shutdown, when no thread starts, in the caller's."""
        if self._executor is not None:
            with suppress(RuntimeError):
                return self._executor.submit(work)
        return begun(work, "statebucket-gcs-exit")

    def _give_back(self, _future: Future[T]) -> None:
        with self._lock:
            self.held -= 1


def _executor(size: int) -> ThreadPoolExecutor | None:
    """A pool of threads; None if its module is first loaded while the interpreter shuts down."""
    try:
        from concurrent.futures.thread import ThreadPoolExecutor  # noqa: PLC0415
    except RuntimeError:
        return None
    # Never shut down: without a reference to it its idle threads end by themselves, and a call
    # from another loop that has just taken it up still finishes.
    return ThreadPoolExecutor(size, thread_name_prefix="statebucket-gcs")

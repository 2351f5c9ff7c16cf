"""Threads for a blocking SDK, of which a hung call can take only so many."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Threads:
    """A bounded pool of threads, for any number of event loops in one process.

    A caller that is cancelled, at its deadline for one, leaves at once; its call holds the thread
    until it asks `check`, or ends. Such threads are counted in ``held``.

    Args:
        size: The most threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._lock = threading.Lock()
        self._local = threading.local()
        # Never shut down: once nobody refers to it, its idle threads end by themselves, and a
        # call from another loop that has just taken it up still finishes.
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="statebucket-gcs")

    async def run(self, job: Callable[[], T]) -> T:
        """Runs a blocking call in a thread.

        Raises:
            Unavailable: All threads are held by calls that nobody waits for any more.
        """
        if self.held >= self.size:
            raise Unavailable(
                f"all {self.size} threads are held by calls to Cloud Storage whose callers have "
                "gone at their deadline"
            )
        gone = threading.Event()

        def work() -> T:
            self._local.gone = gone
            return job()

        future = self._executor.submit(work)
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
        """Ends a call in one of these threads if nobody waits for it any more.

        Args:
            what: What has not come to its end.

        Raises:
            Unavailable: Its caller has gone.
        """
        if self._local.gone.is_set():
            raise Unavailable(f"{what} before the caller went, at its deadline or cancelled")

    def _give_back(self, _future: Future[T]) -> None:
        with self._lock:
            self.held -= 1

"""Cancels a call at each of its awaits in turn, and checks what is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import statebucket
import statebucket_http
from support.patience import happened

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy

_PATIENCE_S = 60.0  # only for what never comes
# The folders of the core and the adapters: that of a clone, which has the SDKs in it, may be named
# statebucket, too.
_OURS = tuple(str(Path(str(one.__file__)).parents[1]) for one in (statebucket, statebucket_http))


class CancelledAt(Awaitable[Any]):
    """Awaits a coroutine, and cancels the task that does at a given suspension.

    Args:
        work: The coroutine.
        at: At which suspension, from 0.
    """

    def __init__(self, work: Awaitable[Any], at: int) -> None:
        self.work = work
        self.at = at

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.work.__await__()
        seen = 0
        throw: BaseException | None = None
        while True:
            try:
                waiting = steps.send(None) if throw is None else steps.throw(throw)
            except StopIteration as done:
                return done.value
            if seen == self.at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            seen += 1
            throw = None
            try:
                yield waiting
            except BaseException as error:  # noqa: BLE001  (passed on to the coroutine)
                throw = error


async def cancelled_at(work: Awaitable[Any], at: int) -> bool:
    """Run a coroutine in a task that is cancelled at a suspension; False if it ended before."""

    async def run() -> None:
        await CancelledAt(work, at)

    try:
        await asyncio.create_task(run())
    except asyncio.CancelledError:
        return True
    return False


async def at_each_await(
    call: Callable[[], Awaitable[Any]], check: Callable[[int], Awaitable[None]], most: int = 400
) -> int:
    """Run a call again and again, cancelled one await later each time, until it gets through.

    Args:
        call: Makes the coroutine.
        check: Looks at what each cancelled run has left, given its number.
        most: How many awaits are too many for a call.

    Returns:
        How often it was cancelled.
    """
    for number in range(most):
        cancelled = await cancelled_at(call(), number)
        assert _of_ours() == []  # whoever is told that a call has ended has it ended
        await check(number)
        if not cancelled:
            return number
    raise AssertionError(f"more than {most} awaits")


def _of_ours() -> list[str]:
    """The tasks that run statebucket's own code."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    files = [getattr(getattr(one, "cr_code", None), "co_filename", "") for one in coroutines]
    return [file for file in files if file.startswith(_OURS)]


async def no_task_is_left() -> None:
    """Fail if a task beside this one goes on, after what is due has run."""
    until = time.monotonic() + _PATIENCE_S
    while len(asyncio.all_tasks()) > 1 and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def no_connection_is_left(proxy: FaultProxy) -> None:
    """Fail if a client's connection stays open."""
    until = time.monotonic() + _PATIENCE_S
    while proxy.connections and time.monotonic() < until:
        time.sleep(0.02)
        gc.collect()  # urllib3 closes a pool once no one refers to it
    assert proxy.connections == 0


def no_thread_is_left(before: set[threading.Thread]) -> None:
    """Fail if a thread goes on that was not there before; those of pools end with their pool."""
    until = time.monotonic() + _PATIENCE_S
    while _new(before) and time.monotonic() < until:
        time.sleep(0.02)
        gc.collect()  # a pool of threads ends once no one refers to it
    assert _new(before) == set()


def _new(before: set[threading.Thread]) -> set[threading.Thread]:
    # asyncio's own pool, for names and files, is the loop's.
    return {t for t in set(threading.enumerate()) - before if not t.name.startswith("asyncio")}


async def cancelled_when(task: asyncio.Task[Any], proxy: FaultProxy, count: int) -> bool:
    """Cancel a task once the proxy has so many requests; False if it ended before that.

    The last of them is one that hangs, in the service or before it.
    """
    until = time.monotonic() + _PATIENCE_S
    while proxy.count() < count and not task.done():
        assert time.monotonic() < until
        await asyncio.sleep(0.002)
    if task.done():
        task.result()
        return False
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    # What the service was sent it does in its time, and not behind what the test does next.
    last = proxy.requests[count - 1]
    await happened(lambda: last.server_status or "BlackHole" in last.fault)
    return True

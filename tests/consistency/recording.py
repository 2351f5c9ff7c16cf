"""Histories recorded by workers in threads, in processes, and behind proxies that lose replies."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consistency.checker import ABSENT, mixed_versions, order, shown
from consistency.workers import BEFORE, WORKERS, Sent, Worker, finish, prepare, programs
from statebucket import open_store
from support.fault_proxy.proxy import Delay, DropReply, FaultProxy, HangBeforeReply

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Barrier

    from consistency.checker import Operation
    from consistency.workers import Program
    from support.fault_proxy.proxy import Predicate, Recorded
    from support.targets.deployments import Deployment

DEADLINE_S = 0.9
"""Of each call where faults are on: short, so that some end without an answer."""

_MEET_S = 60.0


@dataclass
class Tally:
    """How much a run of histories has shown.

    Attributes:
        operations: The operations.
        overlaps: Pairs of them, of two workers, that were under way together.
        refusals: Conditions that did not hold.
        unknown: Effects that may never have happened.
    """

    operations: int = 0
    overlaps: int = 0
    refusals: int = 0
    unknown: int = 0

    def add(self, history: list[Operation]) -> None:
        """Count a history in."""
        self.operations += len(history)
        self.refusals += sum(op.refused for op in history)
        self.unknown += sum(op.optional for op in history)
        self.overlaps += sum(
            one.worker < other.worker and one.began < other.ended and other.began < one.ended
            for one in history
            for other in history
        )


def check(histories: list[tuple[Program, list[Operation]]]) -> Tally:
    """Demand of each history that some order explains it, and that no version stands for two.

    Returns:
        What there was to explain.
    """
    tally = Tally()
    for program, history in histories:
        initial = BEFORE if program.before == "live" else ABSENT
        message = f"history {program.number}, {program.before} before:\n{shown(history)}"
        assert order(history, initial) is not None, f"no order explains {message}"
        assert mixed_versions(history) == [], message
        tally.add(history)
    return tally


def in_threads(
    deployment: Deployment, seed: int, count: int
) -> list[tuple[Program, list[Operation]]]:
    """Record histories of workers in threads, each with a store and an event loop of its own."""
    in_memory = deployment.service == "memory"
    pause = 0.0 if in_memory else 0.004
    barrier = threading.Barrier(WORKERS, timeout=_MEET_S)

    async def work(number: int, todo: list[Program]) -> list[list[Operation]]:
        async with deployment.open(clock=time.time) as store:
            return await Worker(number, store, pause=pause).run(todo, barrier)

    usual = sys.getswitchinterval()
    if in_memory:  # there a call is over before another thread has had its turn
        sys.setswitchinterval(1e-6)
    try:
        return _recorded(deployment, seed, count, work)
    finally:
        sys.setswitchinterval(usual)


def losing(
    deployment: Deployment, seed: int, count: int, *, late: bool
) -> list[tuple[Program, list[Operation]]]:
    """As `in_threads`, each worker behind a proxy of its own that loses replies.

    Args:
        deployment: Where the stores are.
        seed: What the programs and the faults are drawn from.
        count: How many histories.
        late: Whether requests also arrive when their callers have given them up.
    """
    barrier = threading.Barrier(WORKERS, timeout=_MEET_S)
    with ExitStack() as stack:
        proxies = []
        for number in range(WORKERS):
            proxy = stack.enter_context(FaultProxy("127.0.0.1", deployment.port))
            mark = f"{seed}:{number}"
            proxy.always(DropReply(when=_share(f"drop:{mark}", 0.12)))
            seldom = _share(f"seldom:{mark}", 0.03)
            held = Delay(DEADLINE_S * 1.1, when=seldom) if late else HangBeforeReply(when=seldom)
            proxy.always(held)
            proxies.append(proxy)

        def sent(proxy: FaultProxy) -> Sent:
            writes = list(filter(_writes, proxy.requests))
            proxy.clear()
            last = writes[-1].answered if writes else None
            return Sent(len(writes), None if last is None else last * 1e9)

        async def work(number: int, todo: list[Program]) -> list[list[Operation]]:
            proxy = proxies[number]
            async with deployment.open(proxy.url, clock=time.time, deadline=DEADLINE_S) as store:
                worker = Worker(number, store, lambda: sent(proxy), late=late)
                return await worker.run(todo, barrier)

        return _recorded(deployment, seed, count, work)


def in_two_processes(url: str, seed: int, count: int) -> list[tuple[Program, list[Operation]]]:
    """Record histories of workers of which one is in another process, on a URL that takes that."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(WORKERS, timeout=_MEET_S)
    todo = programs(seed, count)

    async def first() -> None:
        async with open_store(url) as store:
            await prepare(store, todo)

    async def last() -> list[Operation]:
        async with open_store(url) as store:
            return [await finish(store, program) for program in todo]

    asyncio.run(first())
    results: multiprocessing.SimpleQueue[list[list[Operation]]] = context.SimpleQueue()
    other = context.Process(target=_elsewhere, args=(url, seed, count, barrier, results))
    other.start()
    with ThreadPoolExecutor(WORKERS) as pool:
        here = [pool.submit(_work, url, number, todo, barrier) for number in range(WORKERS - 1)]
        found = [future.result(_MEET_S) for future in here]
    found.append(results.get())
    other.join(_MEET_S)
    assert other.exitcode == 0
    return _together(todo, found, asyncio.run(last()))


def _elsewhere(
    url: str,
    seed: int,
    count: int,
    barrier: Barrier,
    results: multiprocessing.SimpleQueue[list[list[Operation]]],
) -> None:
    """Be the last worker, in another process."""
    results.put(_work(url, WORKERS - 1, programs(seed, count), barrier))


def _work(url: str, number: int, todo: list[Program], barrier: Barrier) -> list[list[Operation]]:
    async def work() -> list[list[Operation]]:
        async with open_store(url) as store:
            return await Worker(number, store).run(todo, barrier)

    return asyncio.run(work())


def _recorded(
    deployment: Deployment, seed: int, count: int, work: Callable[..., object]
) -> list[tuple[Program, list[Operation]]]:
    """Prepare, have the workers work, and read what is there at the end."""
    todo = programs(seed, count)

    async def first() -> None:
        async with deployment.open(clock=time.time) as store:
            await prepare(store, todo)

    async def last() -> list[Operation]:
        async with deployment.open(clock=time.time) as store:
            return [await finish(store, program) for program in todo]

    asyncio.run(first())
    with ThreadPoolExecutor(WORKERS) as pool:
        futures: list[Future[list[list[Operation]]]] = [
            pool.submit(asyncio.run, work(number, todo))  # type: ignore[arg-type]  # a coroutine
            for number in range(WORKERS)
        ]
        found = [future.result() for future in futures]
    return _together(todo, found, asyncio.run(last()))


def _together(
    todo: list[Program], found: list[list[list[Operation]]], ends: list[Operation]
) -> list[tuple[Program, list[Operation]]]:
    return [
        (program, [op for worker in found for op in worker[at]] + [ends[at]])
        for at, program in enumerate(todo)
    ]


def _share(mark: str, share: float) -> Predicate:
    """Choose a share of the requests, the same ones for the same mark."""
    count = 0

    def chosen(_: Recorded) -> bool:
        nonlocal count
        count += 1
        drawn = hashlib.sha256(f"{mark}:{count}".encode()).digest()
        return int.from_bytes(drawn[:4]) < share * 2**32

    return chosen


def _writes(request: Recorded) -> bool:
    """Whether a request may change the object of a history."""
    owner = b"owners" in request.body or "owners" in request.target
    return request.method in {"PUT", "POST", "DELETE"} and not owner

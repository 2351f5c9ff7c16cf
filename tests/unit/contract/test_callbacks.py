"""Progress callbacks: which are refused, what they receive, and what they raise."""

from __future__ import annotations

from typing import Any

import pytest

from statebucket import StateStore, errors, open_store
from statebucket.admin import copy

pytestmark = pytest.mark.asyncio


async def later(_report: object) -> None:
    """Would never be awaited."""


CALLS: dict[str, Any] = {
    "sweep": lambda store, progress: store.sweep(progress=progress),
    "delete_tenant": lambda store, progress: store.delete_tenant("acme", progress=progress),
    "delete_execution_state": lambda store, progress: store.delete_execution_state(
        "e1", progress=progress
    ),
    "copy": lambda store, progress: copy(store, open_store("memory://"), progress=progress),
}


@pytest.fixture
def store() -> StateStore:
    return open_store("memory://")


@pytest.mark.parametrize("progress", [later, 5])
@pytest.mark.parametrize("call", CALLS)
async def test_what_is_no_plain_function_is_refused(
    store: StateStore, call: str, progress: object
) -> None:
    with pytest.raises(errors.InvalidArgument, match="plain function of the report"):
        await CALLS[call](store, progress)
    assert store.stats().requests == 0


@pytest.mark.parametrize("call", CALLS)
async def test_a_plain_function_gets_the_reports(store: StateStore, call: str) -> None:
    await store.tenant("acme").set("exec:e1:k", b"1")
    await store.tenant("acme").save_snapshot(store.tenant("acme").snapshot("e1"))
    reports: list[object] = []
    await CALLS[call](store, reports.append)
    assert reports


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("kind", [errors.CorruptObject, errors.AccessDenied, ZeroDivisionError])
@pytest.mark.parametrize("call", CALLS)
async def test_what_it_raises_reaches_the_caller(
    store: StateStore, call: str, kind: type[Exception], at: int
) -> None:
    execution = store.tenant("acme").execution("e1")
    await execution.set("k", b"1")
    await execution.save(execution.snapshot())
    reports: list[object] = []
    theirs = kind("theirs")

    def stop(report: object) -> None:
        reports.append(report)
        if len(reports) == at:
            raise theirs

    with pytest.raises(kind) as caught:
        await CALLS[call](store, stop)
    assert caught.value is theirs
    assert len(reports) == at


@pytest.mark.parametrize("call", CALLS)
async def test_its_stop_iteration_is_explained(store: StateStore, call: str) -> None:
    def ends(_: object) -> None:
        next(iter(()))

    execution = store.tenant("acme").execution("e1")
    await execution.save(execution.snapshot())
    with pytest.raises(errors.InvalidArgument, match="progress raised StopIteration"):
        await CALLS[call](store, ends)

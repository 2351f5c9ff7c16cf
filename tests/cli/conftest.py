"""A store with two tenants, and the command line in this process."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import (
    ExecutionId,
    ExecutionSnapshot,
    ExecutionState,
    TenantId,
    Waiting,
    WaitReason,
    open_store,
)
from support.command_line import Result, command_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = timedelta(hours=1)


def snapshot(execution: str, tenant: str = "acme", number: int = 1, **more: Any) -> Any:
    return ExecutionSnapshot(
        execution_id=ExecutionId(execution),
        tenant_id=TenantId(tenant),
        sequence_number=number,
        **{"state": ExecutionState.RUNNING} | more,
    )


async def seed(url: str) -> None:
    """Two tenants: acme with three executions, globex with one; and a shared key."""
    async with open_store(url) as store:
        acme = store.tenant("acme")
        for number in range(3):
            await acme.save_snapshot(snapshot(f"e{number}", number=number), ttl=48 * HOUR)
            await acme.set(f"exec:e{number}:rows", b"[1, 2]", 5 * HOUR)
        await acme.set("settings", b"{}")
        state = Waiting(WaitReason.APPROVAL)
        await store.tenant("globex").save_snapshot(snapshot("g0", "globex", 7, state=state))
        await store.set("banner", b"\x00\xff")


def expire(url: str, count: int) -> None:
    """Keys that expired two minutes ago."""

    async def work() -> None:
        async with open_store(url, clock=lambda: time.time() - 120) as store:
            for number in range(count):
                await store.tenant("acme").set(f"old{number}", b"12345", timedelta(seconds=1))

    asyncio.run(work())


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "seeded.db"
    asyncio.run(seed(f"sqlite:///{path}"))
    return path


@pytest.fixture
def url(seeded: Path, tmp_path: Path) -> str:
    (tmp_path / "state.db").write_bytes(seeded.read_bytes())
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def cli(url: str) -> Callable[..., Result]:
    """Runs a command on the store; ``json`` is the one document on stdout, if it is one."""

    return command_line(url)

"""One tenant of the long load: the only writer of its state, so it knows what must be stored."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, Version, errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket import StateStore

T = TypeVar("T")

LIVE = 3
"""Executions that a tenant has at one time."""

_PLAIN = 4
_SHORT = timedelta(milliseconds=80)
_SWEEP_EVERY = 6


class Doubt(Exception):
    """A call failed, so that what it was about is not known any more."""


@dataclass
class Execution:
    """What an execution must hold.

    Attributes:
        id: Its id.
        snapshot: The snapshot that was saved last.
        keys: The keys and their values.
    """

    id: ExecutionId
    snapshot: ExecutionSnapshot
    keys: dict[str, bytes] = field(default_factory=dict)


class Tenant:
    """Writes, reads and removes, and compares what it reads with what it wrote.

    Args:
        name: The tenant's id.
        store: The store of all tenants.
        others: The ids of the other tenants.
        seed: What the load is drawn from.
        pause: Seconds between two calls.
    """

    def __init__(
        self, name: str, store: StateStore, others: list[str], *, seed: int, pause: float
    ) -> None:
        self.name = name
        self.view = store.tenant(name)
        self.wrong: list[str] = []
        self.calls: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.live: list[Execution] = []
        self._store = store
        self._others = others
        self._chance = random.Random(f"{seed}:{name}")
        self._pause = pause
        self._plain: dict[str, bytes] = {}
        self._doubtful: set[str] = set()  # executions and keys, and what may be left of them
        self._numbers = iter(range(10**9))

    async def cycle(self, number: int) -> None:
        """Go through all calls once; a call that fails ends the cycle early."""
        try:
            execution = await self._new_execution()
            await self._write_on(execution)
            await self._others_see_nothing(execution)
            await self._plain_keys()
            await self._expiring()
            for known in self.live:
                await self.check(known)
            await self.check_listings()
            if number % _SWEEP_EVERY == 0:
                await self._call("sweep", lambda: self.view.sweep(margin=timedelta(0)))
            while len(self.live) > LIVE:
                await self._remove(self.live[0])
        except Doubt:
            pass

    async def _new_execution(self) -> Execution:
        execution_id = ExecutionId(f"{self.name}-{next(self._numbers)}")
        snapshot = ExecutionSnapshot(
            execution_id=execution_id,
            tenant_id=TenantId(self.name),
            state=ExecutionState.RUNNING,
            sequence_number=1,
            variables={"of": self.name, "draw": self._chance.random(), "body": "x" * 2000},
        )
        execution = Execution(execution_id, snapshot)
        version = await self._write(
            "save", lambda: self.view.save_snapshot(snapshot, if_version=Version.ABSENT), execution
        )
        execution.snapshot = snapshot.advance(variables={"of": self.name})
        await self._write(
            "replace",
            lambda: self.view.save_snapshot(execution.snapshot, if_version=version),
            execution,
        )
        self.live.append(execution)
        return execution

    async def _write_on(self, execution: Execution) -> None:
        for number in range(3):
            key, value = f"exec:{execution.id}:k{number}", self._value()
            await self._write("set", lambda k=key, v=value: self.view.set(k, v), execution)  # type: ignore[misc]
            execution.keys[key] = value
        gone = f"exec:{execution.id}:k0"
        await self._write("delete", lambda: self.view.delete(gone), execution)
        del execution.keys[gone]
        later = execution.snapshot.advance()

        async def leased() -> Version:
            async with self.view.lease(execution.id, ttl=timedelta(seconds=30)) as lease:
                return await self.view.save_snapshot(later, lease=lease)

        await self._write("lease", leased, execution)
        execution.snapshot = later

    async def _others_see_nothing(self, execution: Execution) -> None:
        other = self._store.tenant(self._chance.choice(self._others))
        found = await self._call("other tenant", lambda: other.load_snapshot(execution.id))
        self._expect(found is None, f"another tenant sees {execution.id}")
        key = f"exec:{execution.id}:k1"
        self._expect(
            not await self._call("other tenant", lambda: other.exists(key)), f"and its key {key}"
        )

    async def _plain_keys(self) -> None:
        """The same names in all tenants."""
        key = f"k{self._chance.randrange(_PLAIN)}"
        while key in self._doubtful:
            key += "'"
        found = await self._call("get", lambda: self.view.get(key))
        self._expect(found == self._plain.get(key), f"{key} is {found!r}")
        value = self._value()
        await self._write("set", lambda: self.view.set(key, value), key)
        self._plain[key] = value

    async def _expiring(self) -> None:
        key = f"short{next(self._numbers)}"
        await self._write("set", lambda: self.view.set(key, b"v", _SHORT), key)
        await asyncio.sleep(_SHORT.total_seconds() * 1.5)
        self._expect(await self._call("get", lambda: self.view.get(key)) is None, f"{key} lives on")

    async def check(self, execution: Execution) -> None:
        """Compare an execution with what is stored."""
        loaded = await self._call("load", lambda: self._store.load_snapshot(execution.id))
        self._expect(loaded == execution.snapshot, f"{execution.id} is {loaded!r}")
        found = await self._call("iter_keys", lambda: self._keys(execution.id))
        self._expect(found == set(execution.keys), f"{execution.id} has the keys {found}")
        for key, value in execution.keys.items():
            stored = await self._call("get", lambda k=key: self.view.get(k))  # type: ignore[misc]
            self._expect(stored == value, f"{key} is {stored!r}")

    async def check_listings(self) -> None:
        """Compare the listing with what is stored."""
        found = set(await self._call("list", lambda: self.view.list_snapshots(self.name)))
        live = {execution.id for execution in self.live}
        self._expect(live <= found, f"not listed: {live - found}")
        more = {id_ for id_ in found - live if id_ not in self._doubtful}
        self._expect(not more, f"listed: {more}")

    async def check_all(self) -> None:
        """Compare everything, at the end."""
        for execution in self.live:
            await self.check(execution)
        await self.check_listings()
        for key, value in self._plain.items():
            if key not in self._doubtful:
                stored = await self._call("get", lambda k=key: self.view.get(k))  # type: ignore[misc]
                self._expect(stored == value, f"{key} is {stored!r}")

    async def _remove(self, execution: Execution) -> None:
        self.live.remove(execution)
        await self._write(
            "clean", lambda: self.view.delete_execution_state(execution.id), execution
        )
        loaded = await self._call("load", lambda: self._store.load_snapshot(execution.id))
        self._expect(loaded is None, f"{execution.id} is still there")

    async def _keys(self, execution_id: str) -> set[str]:
        return {key async for key in self.view.iter_keys(execution_id)}

    def _value(self) -> bytes:
        return f"{self.name} {self._chance.random()}".encode()

    def _expect(self, holds: bool, message: str) -> None:  # noqa: FBT001  (what is expected)
        if not holds:
            self.wrong.append(f"{self.name}: {message[:300]}")

    async def _write(self, label: str, act: Callable[[], Awaitable[T]], what: Execution | str) -> T:
        """Write; where that fails, what it was about is in doubt from now on."""
        try:
            return await self._call(label, act)
        except Doubt:
            if isinstance(what, Execution):
                self._doubtful.add(what.id)
                self.live = [execution for execution in self.live if execution is not what]
            else:
                self._doubtful.add(what)
            raise

    async def _call(self, label: str, act: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(self._chance.uniform(0, 2 * self._pause))
        self.calls[label] += 1
        try:
            return await act()
        except (errors.VersionConflict, errors.AmbiguousExecution, errors.CorruptObject) as error:
            # There is no one to lose against.
            self.wrong.append(f"{self.name}: {label}: {error!r} {error.outcome}")
            raise Doubt from error
        except errors.StateBucketError as error:
            self.failed[f"{label}: {type(error).__name__}"] += 1
            raise Doubt from error

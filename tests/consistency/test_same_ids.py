"""Two tenants with the same execution id: neither ever sees or removes the other's state."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import statebucket_local
from statebucket import StateStore, errors, open_store
from statebucket.testing import Clock
from statebucket.testing.contract.base import E1, snapshot
from support.selection import examples
from support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from statebucket import ExecutionSnapshot

TENANTS = ["acme", "globex"]
KEY = f"exec:{E1}:k"
MINUTE = timedelta(minutes=1)

tenants = st.sampled_from(TENANTS)
processes = st.sampled_from([0, 1])


class SameIds(RuleBasedStateMachine):
    """Two processes, two tenants, one execution id, and what each tenant should find."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = Clock(1_000_000)
        self.name = uuid4().hex
        self.stores = [self.opened(), self.opened()]
        self.number = 0
        self.snapshots: dict[str, tuple[ExecutionSnapshot, float | None]] = {}
        self.keys: dict[str, bytes] = {}

    def opened(self) -> StateStore:
        return open_store(f"memory://{self.name}", clock=self.clock)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def alone(self, tenant: str, work: Coroutine[Any, Any, Any]) -> None:
        """Runs a call for a tenant, which must change no object of another's."""
        before = self.of_others(tenant)
        self.run(work)
        assert self.of_others(tenant) == before

    def of_others(self, tenant: str) -> dict[str, object]:
        own = (f"tenants/{tenant}/", f"owners/{E1}/{tenant}")
        objects = statebucket_local._named[self.name]._objects
        return {name: found for name, found in objects.items() if not name.startswith(own)}

    def live(self, tenant: str) -> ExecutionSnapshot | None:
        kept, expires = self.snapshots.get(tenant, (None, None))
        return None if expires is not None and expires <= self.clock() else kept

    @rule(
        process=processes, tenant=tenants, ttl=st.sampled_from([None, MINUTE]), bound=st.booleans()
    )
    def save(self, process: int, tenant: str, ttl: timedelta | None, *, bound: bool) -> None:
        self.number += 1
        taken = snapshot(E1, tenant, self.number)
        store = self.stores[process]
        view = store.tenant(tenant) if bound else store
        self.alone(tenant, view.save_snapshot(taken, ttl=ttl))
        expires = None if ttl is None else self.clock() + ttl.total_seconds()
        self.snapshots[tenant] = (taken, expires)

    @rule(process=processes, tenant=tenants)
    def set(self, process: int, tenant: str) -> None:
        self.number += 1
        self.keys[tenant] = str(self.number).encode()
        self.alone(tenant, self.stores[process].tenant(tenant).set(KEY, self.keys[tenant]))

    @rule(process=processes, tenant=tenants)
    def remove(self, process: int, tenant: str) -> None:
        self.alone(tenant, self.stores[process].tenant(tenant).delete_execution_state(E1))
        self.snapshots.pop(tenant, None)
        self.keys.pop(tenant, None)

    @rule(process=processes, tenant=tenants)
    def remove_tenant(self, process: int, tenant: str) -> None:
        self.alone(tenant, self.stores[process].delete_tenant(tenant))
        self.snapshots.pop(tenant, None)
        self.keys.pop(tenant, None)

    @rule(process=processes, tenant=tenants)
    def delete_snapshot(self, process: int, tenant: str) -> None:
        self.alone(tenant, self.stores[process].tenant(tenant).delete_snapshot(E1))
        self.snapshots.pop(tenant, None)

    @rule(process=processes)
    def load_without_a_tenant(self, process: int) -> None:
        try:
            found = self.run(self.stores[process].load_snapshot(E1))
        except errors.AmbiguousExecution:
            return  # a record may be there still, whose snapshot is not
        assert found in [self.live(tenant) for tenant in TENANTS] or found is None
        live = [tenant for tenant in TENANTS if self.live(tenant) is not None]
        if len(live) == 1 and found is not None:
            assert found.tenant_id == live[0]

    @rule(process=processes)
    def remove_without_a_tenant(self, process: int) -> None:
        try:
            self.run(self.stores[process].delete_execution_state(E1))
        except errors.AmbiguousExecution:
            return
        # It took one tenant's, whole, or none's; which one is seen by what is left.
        here = [tenant for tenant in TENANTS if self.is_there(tenant)]
        for tenant in TENANTS:
            if tenant not in here:
                self.snapshots.pop(tenant, None)
                self.keys.pop(tenant, None)

    def is_there(self, tenant: str) -> bool:
        view = self.opened().tenant(tenant)
        return self.run(view.get(KEY)) is not None or self.run(view.load_snapshot(E1)) is not None

    @rule(process=processes, tenant=st.sampled_from([None, *TENANTS]))
    def sweep(self, process: int, tenant: str | None) -> None:
        store = self.stores[process]
        if tenant is None:
            self.run(store.sweep())
        else:
            self.alone(tenant, store.sweep(tenant=tenant))

    @rule(seconds=st.sampled_from([1, 59, 61, 200_000]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(process=processes)
    def begin_again(self, process: int) -> None:
        """A process with nothing seen."""
        self.stores[process] = self.opened()

    @rule(process=processes, tenant=tenants)
    def look(self, process: int, tenant: str) -> None:
        view = self.stores[process].tenant(tenant)
        assert self.run(view.load_snapshot(E1)) == self.live(tenant)
        assert self.run(view.get(KEY)) == self.keys.get(tenant)
        expected = [E1] if self.live(tenant) else []
        assert self.run(view.list_snapshots(tenant)) == expected

    def teardown(self) -> None:
        for tenant in TENANTS:
            self.look(0, tenant)
        self.run(self.opened().sweep())
        # Repaired by now: a process with nothing seen finds by the records what there is.
        live = [tenant for tenant in TENANTS if self.live(tenant)]
        there = [tenant for tenant in TENANTS if self.live(tenant) or tenant in self.keys]
        if len(there) == len(live) == 1:
            self.clock.advance(61)
            self.run(self.opened().sweep())
            found = self.run(self.opened().load_snapshot(E1))
            assert (found and found.tenant_id) == (live[0] if self.live(live[0]) else None)
        self.loop.close()
        del statebucket_local._named[self.name]


SameIds.TestCase.settings = settings(
    max_examples=examples(60, 200),
    stateful_step_count=30,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
)
TestSameIds = pytest.mark.slow(SameIds.TestCase)

"""The store against a model: any sequence of calls, by any tenant, at any time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import statebucket_local
from statebucket import ExecutionSnapshot, StateStore, Version, errors, open_store
from statebucket.testing import Clock
from statebucket.testing.contract.base import snapshot
from support.selection import examples
from support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine

TENANTS = ["a", "a/b"]
EXECUTIONS = ["é"]
PLAIN = ["k"]

scopes = st.sampled_from([None, *TENANTS])
keys = st.sampled_from([f"exec:{id_}:k" for id_ in EXECUTIONS] + PLAIN)
values = st.binary(max_size=3)
ttls = st.sampled_from([None, timedelta(seconds=10), timedelta(seconds=30)])
Key = tuple[str | None, str]


@dataclass
class Entry:
    """What the model knows of a value or snapshot."""

    value: Any
    version: Version
    expires: float | None


class StoreMachine(RuleBasedStateMachine):
    """A store in memory, and dictionaries that say what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = Clock(1_000_000)
        self.name = uuid4().hex
        self.store = self.opened()
        self.keys: dict[Key, Entry] = {}
        self.snapshots: dict[tuple[str, str], Entry] = {}
        self.owners: dict[str, set[str]] = {execution: set() for execution in EXECUTIONS}
        # The tenants of each execution that this process has seen, of whom it relies on one alone.
        self.seen: dict[str, set[str]] = {execution: set() for execution in EXECUTIONS}
        self.old: list[Version] = [Version("never")]

    def opened(self) -> StateStore:
        return open_store(f"memory://{self.name}", clock=self.clock)

    def teardown(self) -> None:
        self.listings_show_what_lives()
        self.loop.close()
        del statebucket_local._named[self.name]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def view(self, scope: str | None) -> StateStore:
        return self.store if scope is None else self.store.tenant(scope)

    def live(self, entry: Entry | None) -> Entry | None:
        if entry is None or (entry.expires is not None and entry.expires <= self.clock()):
            return None
        return entry

    def expiry(self, ttl: timedelta | None) -> float | None:
        return None if ttl is None else self.clock() + ttl.total_seconds()

    @rule(scope=scopes, key=keys, value=values, ttl=ttls)
    def set(self, scope: str | None, key: str, value: bytes, ttl: timedelta | None) -> None:
        version = self.run(self.view(scope).set(key, value, ttl))
        self.remember((scope, key), value, version, ttl)

    def remember(self, key: Key, value: bytes, version: Version, ttl: timedelta | None) -> None:
        assert version not in self.old
        self.old.append(version)
        self.keys[key] = Entry(value, version, self.expiry(ttl))

    @rule(scope=scopes, key=keys, value=values, ttl=ttls)
    def create(self, scope: str | None, key: str, value: bytes, ttl: timedelta | None) -> None:
        there = self.live(self.keys.get((scope, key)))
        try:
            version = self.run(self.view(scope).set(key, value, ttl, if_version=Version.ABSENT))
        except errors.VersionConflict:
            assert there is not None
        else:
            assert there is None
            self.remember((scope, key), value, version, ttl)

    @rule(scope=scopes, key=keys, value=values, ttl=ttls, data=st.data())
    def replace(
        self, scope: str | None, key: str, value: bytes, ttl: timedelta | None, data: st.DataObject
    ) -> None:
        entry = self.keys.get((scope, key))
        current = [] if entry is None else [entry.version] * 10
        expected = data.draw(st.sampled_from(self.old + current))
        try:
            version = self.run(self.view(scope).set(key, value, ttl, if_version=expected))
        except errors.VersionConflict:
            assert entry is None or expected != entry.version
        else:
            assert entry is not None
            assert expected == entry.version
            self.remember((scope, key), value, version, ttl)

    @rule(scope=scopes, key=keys)
    def delete(self, scope: str | None, key: str) -> None:
        there = self.live(self.keys.pop((scope, key), None))
        assert self.run(self.view(scope).delete(key)) is (there is not None)

    @rule(scope=scopes, key=keys, data=st.data())
    def delete_version(self, scope: str | None, key: str, data: st.DataObject) -> None:
        entry = self.keys.get((scope, key))
        expected = data.draw(st.sampled_from(self.old + ([entry.version] * 10 if entry else [])))
        there = self.live(entry)
        at_it = entry is not None and entry.version == expected
        try:
            existed = self.run(self.view(scope).delete(key, if_version=expected, want_current=True))
        except errors.VersionConflict as lost:
            won = lost.current
            assert there is not None
            assert not at_it
            assert won is not None
            assert (won.value, won.version) == (there.value, there.version)
        else:
            assert there is None or at_it
            assert existed is (there is not None)
            if at_it:
                del self.keys[scope, key]

    @rule(scope=scopes, chosen=st.lists(keys, max_size=3))
    def delete_many(self, scope: str | None, chosen: list[str]) -> None:
        report = self.run(self.view(scope).delete_many(chosen))
        stored = {key for key in chosen if self.live(self.keys.pop((scope, key), None))}
        assert (report.keys, report.unreported) == (len(stored), 0)

    @rule(scope=scopes, key=keys, value=st.none() | values, ttl=ttls)
    def update(
        self, scope: str | None, key: str, value: bytes | None, ttl: timedelta | None
    ) -> None:
        entry = self.keys.get((scope, key))
        there = self.live(entry)
        seen = []

        def change(old: bytes | None) -> bytes | None:
            seen.append(old)
            return value

        view = self.view(scope)
        stored = self.run(view.update(key, change, ttl))
        assert seen == [None if there is None else there.value]
        assert stored == (seen[0] if value is None else value)
        if value is not None:
            version = self.run(view.get_stored(key)).version
            self.remember((scope, key), value, version, ttl)
            if ttl is None and there is not None:
                self.keys[scope, key].expires = there.expires

    @rule(scope=scopes, key=keys)
    def read(self, scope: str | None, key: str) -> None:
        entry = self.live(self.keys.get((scope, key)))
        view = self.view(scope)
        found = self.run(view.get_stored(key))
        assert self.run(view.exists(key)) == (entry is not None)
        assert self.run(view.get(key)) == (None if entry is None else entry.value)
        if entry is None:
            assert found is None
            return
        assert (found.value, found.version) == (entry.value, entry.version)
        moment = None if entry.expires is None else datetime.fromtimestamp(entry.expires, UTC)
        assert found.expires_at == moment

    @rule(
        tenant=st.sampled_from(TENANTS),
        execution=st.sampled_from(EXECUTIONS),
        number=st.integers(0, 5),
        ttl=ttls,
        only_newer=st.booleans(),
        bound=st.booleans(),
    )
    def save(
        self,
        tenant: str,
        execution: str,
        number: int,
        ttl: timedelta | None,
        only_newer: bool,  # noqa: FBT001  (drawn)
        bound: bool,  # noqa: FBT001
    ) -> None:
        view = self.view(tenant if bound else None)
        taken = snapshot(execution, tenant, number)
        before = self.live(self.snapshots.get((tenant, execution)))
        self.owners[execution].add(tenant)
        self.seen[execution].add(tenant)
        try:
            version = self.run(view.save_snapshot(taken, ttl=ttl, only_newer=only_newer))
        except errors.StaleSnapshot:
            assert only_newer
            assert before is not None
            assert before.value.sequence_number > number
            return
        assert not (only_newer and before and before.value.sequence_number > number)
        self.snapshots[tenant, execution] = Entry(taken, version, self.expiry(ttl))

    @rule(tenant=st.sampled_from(TENANTS), execution=st.sampled_from(EXECUTIONS))
    def load(self, tenant: str, execution: str) -> None:
        entry = self.live(self.snapshots.get((tenant, execution)))
        found = self.run(self.view(tenant).load_stored(execution))
        assert (found and (found.value, found.version)) == (entry and (entry.value, entry.version))
        if found is not None:
            self.seen[execution].add(tenant)
        loaded: ExecutionSnapshot | None
        if len(self.owners[execution]) > 1:
            relied_on = self.relied_on(execution)
            try:
                loaded = self.run(self.store.load_snapshot(execution))
            except errors.AmbiguousExecution:
                self.seen[execution] = set(self.owners[execution])
                return
            entry = self.live(self.snapshots.get((relied_on, execution)))
            assert loaded == (entry and entry.value)
        elif tenant in self.owners[execution]:
            loaded = self.run(self.store.load_snapshot(execution))
            self.seen[execution].add(tenant)
            assert loaded == (entry and entry.value)

    def relied_on(self, execution: str) -> str:
        """The one tenant that a process may rely on for a minute, where it has seen one alone."""
        seen = self.seen[execution]
        return next(iter(seen)) if len(seen) == 1 else "none"

    @rule(scope=scopes, execution=st.sampled_from(EXECUTIONS))
    def delete_execution(self, scope: str | None, execution: str) -> None:
        tenant = scope if scope is not None else next(iter(self.owners[execution]), None)
        try:
            self.run(self.view(scope).delete_execution_state(execution))
        except errors.AmbiguousExecution:
            assert scope is None
            assert len(self.owners[execution]) > 1
            self.seen[execution] = set(self.owners[execution])
            return
        assert scope is not None or len(self.owners[execution]) < 2
        gone = {scope, tenant}
        mark = f"exec:{execution}:"
        for place in [p for p in self.keys if p[0] in gone and p[1].startswith(mark)]:
            del self.keys[place]
        if tenant is not None:
            self.snapshots.pop((tenant, execution), None)
            self.owners[execution].discard(tenant)
            self.seen[execution].discard(tenant)

    @rule(seconds=st.sampled_from([9.75, 10, 30, 61, 300_000]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def another_process(self) -> None:
        """The same bucket, with nothing known of it."""
        self.store = self.opened()
        self.seen = {execution: set() for execution in EXECUTIONS}

    @precondition(lambda self: self.keys)
    @rule(tenant=st.sampled_from(TENANTS))
    def delete_tenant(self, tenant: str) -> None:
        self.run(self.store.delete_tenant(tenant))
        self.keys = {place: entry for place, entry in self.keys.items() if place[0] != tenant}
        self.snapshots = {p: entry for p, entry in self.snapshots.items() if p[0] != tenant}
        for tenants in (*self.owners.values(), *self.seen.values()):
            tenants.discard(tenant)

    @rule()
    def listings_show_what_lives(self) -> None:
        listed, snapshots, tenants = self.run(self.listings())
        for (scope, id_), found in listed.items():
            mark = "" if id_ is None else f"exec:{id_}:"
            alive = [
                key for (s, key), entry in self.keys.items() if s == scope and self.live(entry)
            ]
            assert sorted(found) == sorted(
                key for key in alive if (key.startswith(mark) if mark else key in PLAIN)
            )
        for tenant, found in snapshots.items():
            ids = [
                e for (t, e), entry in self.snapshots.items() if t == tenant and self.live(entry)
            ]
            assert sorted(found) == sorted(ids)
        # An expired object counts, until someone removes it.
        there = {t for t, _ in self.snapshots} | {s for s, _ in self.keys if s is not None}
        assert sorted(tenants) == sorted(there)

    async def listings(self) -> tuple[dict[Any, list[str]], dict[str, list[str]], list[str]]:
        keys = {
            (scope, id_): [key async for key in self.view(scope).iter_keys(id_)]
            for scope in (None, *TENANTS)
            for id_ in (None, *EXECUTIONS)
        }
        snapshots: dict[str, Any] = {t: await self.store.list_snapshots(t) for t in TENANTS}
        return keys, snapshots, [tenant async for tenant in self.store.iter_tenants()]


StoreMachine.TestCase.settings = settings(
    max_examples=examples(25, 100),
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],  # to explain takes minutes
)
TestStore = pytest.mark.slow(StoreMachine.TestCase)

"""Any interleaving of writes, reads, sweeps and time: readable exactly until expiry, never lost.

The sweep is interrupted between what it has seen and what it removes: there another writer sets the
same key again, with the same bytes too.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from statebucket import Version, errors
from support.selection import examples
from support.targets.local import MemoryTarget, SQLiteTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from statebucket.store.store import ObjectStateStore
    from statebucket.testing import Target
    from support.servers import Server

KEYS = st.sampled_from(["a", "b", "exec:e:c"])
VALUES = st.sampled_from([b"same", b"other"])
TTLS = st.one_of(
    st.none(),
    st.sampled_from([1, 1000, 60_000, 86_400_000, 2 * 86_400_000, 1025 * 86_400_000]),
)
STEPS = st.sampled_from([1, 999, 59_000, 60_000, 61_000, 86_400_000, 90 * 86_400_000])


class BetweenSightAndDelete:
    """A bucket as it is, but for a call that comes just before a delete."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket
        self.interrupt: Callable[[str], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        if self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            await interrupt(name)
        return await self._bucket.delete(name, condition)  # type: ignore[no-any-return]


class TTLMachine(RuleBasedStateMachine):
    """A store against a dictionary of value and expiry."""

    make: Callable[[], Target]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.target = type(self).make()
        self.store = self.target.open()
        self.other = self.target.open()
        objects = cast("ObjectStateStore", self.store).context.objects
        objects.bucket = self.bucket = BetweenSightAndDelete(objects.bucket)
        self.model: dict[str, tuple[bytes, int | None]] = {}
        self.versions: dict[str, Version] = {}

    def teardown(self) -> None:
        self.run(self.store.shutdown())
        self.run(self.other.shutdown())
        self.runner.close()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @property
    def now(self) -> int:
        return int(self.target.clock() * 1000)

    def live(self, key: str) -> bytes | None:
        value, until = self.model.get(key, (None, None))
        return None if until is not None and until <= self.now else value

    def put(self, key: str, value: bytes, ttl: int | None) -> None:
        self.model[key] = (value, None if ttl is None else self.now + ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def write(self, key: str, value: bytes, ttl: int | None) -> None:
        self.versions[key] = self.run(self.store.set(key, value, _ttl(ttl)))
        self.put(key, value, ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def create(self, key: str, value: bytes, ttl: int | None) -> None:
        try:
            version = self.run(self.store.set(key, value, _ttl(ttl), if_version=Version.ABSENT))
        except errors.VersionConflict:
            assert self.live(key) is not None
        else:
            assert self.live(key) is None
            self.versions[key] = version
            self.put(key, value, ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def replace(self, key: str, value: bytes, ttl: int | None) -> None:
        version = self.versions.get(key)
        if version is None:
            return
        try:
            self.versions[key] = self.run(self.other.set(key, value, _ttl(ttl), if_version=version))
        except errors.VersionConflict:
            assert key not in self.model or self.live(key) is None
        else:
            self.put(key, value, ttl)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.run(self.store.delete(key))
        self.model.pop(key, None)

    @rule(milliseconds=STEPS)
    def time_goes_on(self, milliseconds: int) -> None:
        self.target.clock.now = (self.now + milliseconds) / 1000

    @rule()
    def sweep(self) -> None:
        report = self.run(self.store.sweep())
        assert report.raced == 0
        assert report.removed == report.expired
        for key in [key for key in self.model if self.live(key) is None]:
            until = self.model[key][1]
            if until is not None and until + 60_000 <= self.now:
                del self.model[key]

    @rule(value=VALUES, ttl=TTLS, both=st.booleans())
    def sweep_while_another_writes(self, value: bytes, ttl: int | None, *, both: bool) -> None:
        written = []

        async def interrupt(name: str) -> None:
            for key in ("a", "b", "exec:e:c"):
                if both or name.endswith(f"/{key.rpartition(':')[2]}"):
                    self.versions[key] = await self.other.set(key, value, _ttl(ttl))
                    written.append(key)

        self.bucket.interrupt = interrupt
        report = self.run(self.store.sweep(margin=timedelta(0)))
        self.bucket.interrupt = None
        gone = [key for key in self.model if self.live(key) is None and key not in written]
        for key in gone:
            del self.model[key]
        for key in written:
            self.put(key, value, ttl)
        assert report.raced <= len(written)

    @invariant()
    def what_is_read_is_what_is_live(self) -> None:
        for key in ("a", "b", "exec:e:c"):
            expected = self.live(key)
            stored = self.run(self.other.get_stored(key))
            assert (None if stored is None else stored.value) == expected
            if stored is not None:
                until = self.model[key][1]
                shown = stored.expires_at
                assert (None if shown is None else round(shown.timestamp() * 1000)) == until

    @invariant()
    def what_was_not_removed_is_still_stored(self) -> None:
        assert len(self.target.raw_names()) == len(self.model)


def _ttl(milliseconds: int | None) -> timedelta | None:
    return None if milliseconds is None else timedelta(milliseconds=milliseconds)


def check(make: Callable[[], Target], examples: int) -> None:
    """Runs the machine on a kind of place."""
    machine = type("Machine", (TTLMachine,), {"make": staticmethod(make)})
    how = settings(
        max_examples=examples,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.timeout(300)
def test_memory() -> None:
    check(MemoryTarget, examples(60, 200))


@pytest.mark.timeout(300)
def test_sqlite(tmp_path: Path) -> None:
    numbers = iter(range(10**9))

    def make() -> SQLiteTarget:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return SQLiteTarget(folder)

    check(make, examples(15, 30))


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_moto(moto: Server) -> None:
    client = raw_client(moto)
    check(lambda: S3Target(moto, client), 6)

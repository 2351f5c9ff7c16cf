"""Updates: load, change, write on that version, again when another was quicker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import ExecutionSnapshot, ExecutionState, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

WRITERS = 20


@dataclass
class Counter:
    """A typed value."""

    count: int = 0


def _more(value: bytes | None) -> bytes:
    return b"%d" % (int(value or b"0") + 1)


def _next(current: ExecutionSnapshot | None) -> ExecutionSnapshot:
    return snapshot(number=1) if current is None else current.advance()


class UpdateContract(Contract):
    """``update``, ``update_json``, ``update_snapshot``."""

    async def test_an_update_creates_changes_and_leaves(
        self, store: StateStore, target: Target
    ) -> None:
        assert await store.update("k", lambda _: None) is None
        assert target.raw_names() == []
        assert await store.update("k", _more) == b"1"
        assert await store.update("k", _more) == b"2"
        assert await store.get("k") == b"2"
        version = (await store.get_stored("k"), await store.update("k", lambda _: None))[0]
        assert version == await store.get_stored("k")
        assert await store.update("k", lambda _: bytearray(b"buffer")) == b"buffer"

    async def test_an_update_of_json(self, store: StateStore) -> None:
        assert await store.update_json("n", lambda n: (n or 0) + 1) == 1
        assert await store.update_json("n", lambda n: (n or 0) + 1) == 2
        assert await store.update_json("t", lambda _: {"a": (1, 2)}) == {"a": [1, 2]}

        def spoil(value: Any) -> None:  # noqa: ANN401
            value["a"].append(b"bytes")

        # What the function does to its argument is not stored.
        assert await store.update_json("t", spoil) == {"a": [1, 2]}
        assert await store.update_json("none", lambda old: old) is None
        assert not await store.exists("none")
        assert await store.get_json("t") == {"a": [1, 2]}

    async def test_an_update_of_a_type(self, store: StateStore) -> None:
        def more(counter: Counter | None) -> Counter:
            return Counter(counter.count + 1 if counter else 1)

        assert await store.update_json("c", more, Counter) == Counter(1)
        assert await store.update_json("c", more, type=Counter) == Counter(2)
        assert await store.get_json("c") == {"count": 2}
        wrong: Any = lambda _: {"count": "three"}  # noqa: E731
        with pytest.raises(errors.InvalidValue, match="not of the type"):
            await store.update_json("c", wrong, Counter)
        assert await store.get_json("c", Counter) == Counter(2)
        await store.set_json("c", ["not a counter"])
        with pytest.raises(errors.CorruptObject):
            await store.update_json("c", more, Counter)

    async def test_an_update_of_a_snapshot(self, acme: StateStore, target: Target) -> None:
        assert await acme.update_snapshot(E1, lambda _: None) is None
        assert target.raw_names() == []
        first = await acme.update_snapshot(E1, _next)
        assert first is not None
        assert first.sequence_number == 1
        second = await acme.update_snapshot(E1, _next)
        assert second is not None
        assert second.sequence_number == 2
        assert await acme.load_snapshot(E1) == second

        def spoil(current: ExecutionSnapshot | None) -> None:
            assert current is not None
            current.variables["spoilt"] = True

        assert await acme.update_snapshot(E1, spoil) == second

    async def test_an_update_of_a_snapshot_finds_its_owner(self, store: StateStore) -> None:
        assert await store.update_snapshot(E1, lambda _: None) is None
        assert await store.update_snapshot(E1, _next) is not None
        changed = await store.update_snapshot(E1, _next)
        assert changed is not None
        assert (changed.tenant_id, changed.sequence_number) == (ACME, 2)
        assert await store.tenant(ACME).load_snapshot(E1) == changed

    async def test_twenty_writers_of_a_counter_end_exact(self, target: Target) -> None:
        # A deadline for services that are slow, or take a write a second.
        async with target.open(deadline=120) as store:
            view = store.tenant(ACME)
            results = await asyncio.gather(
                *(view.update_json("n", lambda n: (n or 0) + 1) for _ in range(WRITERS))
            )
            assert sorted(results) == list(range(1, WRITERS + 1))
            assert await view.get_json("n") == WRITERS

    async def test_five_writers_of_a_snapshot_end_exact(self, target: Target) -> None:
        async with target.open(deadline=120) as store:
            view = store.tenant(ACME)
            await asyncio.gather(*(view.update_snapshot(E1, _next) for _ in range(5)))
            loaded = await view.load_snapshot(E1)
            assert loaded is not None
            assert loaded.sequence_number == 5

    async def test_an_update_sees_nothing_of_what_has_expired(
        self, acme: StateStore, clock: Clock
    ) -> None:
        await acme.set("k", b"9", 60)
        await acme.save_snapshot(snapshot(number=9), ttl=60)
        clock.advance(60)
        assert await acme.update("k", lambda _: None) is None
        assert await acme.update("k", _more) == b"1"
        renewed = await acme.update_snapshot(E1, _next)
        assert renewed is not None
        assert renewed.sequence_number == 1
        clock.advance(3600)
        assert await acme.get("k") == b"1"

    async def test_the_moment_of_expiry_stays_unless_a_ttl_is_given(
        self, acme: StateStore, clock: Clock
    ) -> None:
        await acme.set("k", b"1", timedelta(hours=1))
        await acme.save_snapshot(snapshot(), ttl=timedelta(hours=1))
        until = datetime.fromtimestamp(clock() + 3600, UTC)
        clock.advance(600)
        await acme.update("k", _more)
        await acme.update_snapshot(E1, _next)
        value, saved = await acme.get_stored("k"), await acme.load_stored(E1)
        assert value is not None
        assert saved is not None
        assert (value.expires_at, saved.expires_at) == (until, until)
        await acme.update("k", _more, timedelta(hours=1))
        await acme.update_json("j", lambda _: 1, ttl=60)
        clock.advance(3599)
        assert await acme.get("k") == b"3"
        assert await acme.get_json("j") is None
        clock.advance(1)
        assert await acme.get("k") is None

    async def test_a_finished_execution_has_its_own_ttl_after_an_update(
        self, target: Target, clock: Clock
    ) -> None:
        async with target.open(finished_ttl=60) as store:
            acme = store.tenant(ACME)
            await acme.save_snapshot(snapshot())
            await acme.update_snapshot(E1, lambda _: snapshot(state=ExecutionState.COMPLETED))
            clock.advance(60)
            assert await acme.load_snapshot(E1) is None

    async def test_an_error_of_the_function_is_the_callers(self, acme: StateStore) -> None:
        def fail(_: object) -> None:
            raise KeyError("theirs")

        await acme.set("k", b"1")
        await acme.save_snapshot(snapshot())
        for call in (
            acme.update("k", fail),
            acme.update_json("k", fail),
            acme.update_snapshot(E1, fail),
        ):
            with pytest.raises(KeyError, match="theirs"):
                await call
        assert await acme.get("k") == b"1"

    async def test_what_an_update_must_not_write(self, acme: StateStore) -> None:
        await acme.set("k", b"1")
        await acme.save_snapshot(snapshot())
        wrong: Any
        for wrong in ("text", 3, [b"v"]):
            with pytest.raises(errors.InvalidValue):
                await acme.update("k", lambda _: wrong)  # noqa: B023  (called at once)
        with pytest.raises(errors.InvalidValue):
            await acme.update_json("k", lambda _: {"a"})
        wrong = {"state": "Running"}
        with pytest.raises(errors.InvalidSnapshot, match="function: not an ExecutionSnapshot"):
            await acme.update_snapshot(E1, lambda _: wrong)
        with pytest.raises(errors.InvalidSnapshot, match="'e2'"):
            await acme.update_snapshot(E1, lambda _: snapshot("e2"))
        with pytest.raises(errors.TenantMismatch, match="'other'"):
            await acme.update_snapshot(E1, lambda _: snapshot(tenant_id="other"))
        assert await acme.get("k") == b"1"
        assert (await acme.load_snapshot(E1)) is not None

    async def test_what_expires_while_the_function_runs_does_not_exist(
        self, acme: StateStore, clock: Clock
    ) -> None:
        await acme.set("k", b"9", 60)
        await acme.save_snapshot(snapshot(number=9), ttl=60)
        seen: list[object] = []

        def slow(value: Any) -> Any:  # noqa: ANN401
            seen.append(value)
            clock.advance(30)
            return value

        def slow_more(value: bytes | None) -> bytes:
            return _more(slow(value))

        clock.advance(30)
        assert await acme.update("k", slow_more) == b"1"
        assert seen == [b"9", None]
        assert (await acme.get_stored("k")).expires_at is None  # type: ignore[union-attr]  # it is there
        await acme.set_json("j", 9, 60)
        clock.advance(30)
        assert await acme.update_json("j", lambda n: (slow(n) or 0) + 1, ttl=60) == 1
        await acme.save_snapshot(snapshot(number=9), ttl=60)
        clock.advance(30)
        renewed = await acme.update_snapshot(E1, lambda current: _next(slow(current)))
        assert renewed is not None
        assert renewed.sequence_number == 1
        assert await acme.load_snapshot(E1) == renewed

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    async def test_a_function_that_is_out_of_items_says_so(
        self, acme: StateStore, kind: type[Exception]
    ) -> None:
        def ends(_: object) -> None:
            raise kind

        # Python lets StopIteration out of no coroutine.
        expected = errors.InvalidArgument if kind is StopIteration else kind
        await acme.save_snapshot(snapshot())
        for call in (
            acme.update("k", ends),
            acme.update_json("k", ends),
            acme.update_snapshot(E1, ends),
            acme.update_snapshot("new", ends),
        ):
            with pytest.raises(expected) as caught:
                await call
            if kind is StopIteration:
                assert "function raised StopIteration" in str(caught.value)

    async def test_the_function_is_a_plain_one(self, acme: StateStore, target: Target) -> None:
        async def later(value: Any) -> Any:  # noqa: ANN401
            return value

        target.requests()
        wrong: Any
        for wrong in (later, b"v", None):
            for call in (
                acme.update("k", wrong),
                acme.update_json("k", wrong),
                acme.update_snapshot(E1, wrong),
            ):
                with pytest.raises(errors.InvalidArgument, match="plain function"):
                    await call
        with pytest.raises(errors.InvalidTTL):
            await acme.update("k", _more, 0)
        assert not target.requests()

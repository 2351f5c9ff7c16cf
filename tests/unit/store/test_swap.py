"""Updates: lost races, lost replies, and the deadline."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import ExecutionSnapshot, StateStore, errors
from statebucket.port.bucket import JSON, Write
from statebucket.store.owners import MAX_RACES
from statebucket.testing import Clock
from statebucket.testing.contract.base import snapshot
from support.scripted_bucket import ScriptedBucket, lose, opened, take, through
from support.virtual_time import now, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.usefixtures("_scripted")


def more(value: bytes | None) -> bytes:
    return b"%d" % (int(value or b"0") + 1)


def quicker(store: Callable[[], StateStore], times: int) -> Callable[[Any], Any]:
    """A step of a script: another writer comes first."""

    async def step(send: Callable[[], Awaitable[Any]]) -> Any:
        nonlocal times
        if times:
            times -= 1
            script = bucket_of(store())
            kept, script.script = script.script, type(script.script)()
            always, script.always = script.always, None
            await store().set("k", b"100")
            script.script, script.always = kept, always
        return await send()

    return step


def bucket_of(store: Any) -> ScriptedBucket:
    bucket: ScriptedBucket = store.context.objects.bucket
    return bucket


def test_an_update_whose_answer_was_lost_is_done_once() -> None:
    bucket = ScriptedBucket(through, lose())
    store = opened(bucket)
    assert run(store.update("k", more)) == b"1"
    assert bucket.operations == ["get", "put", "put", "get"]
    assert run(store.get("k")) == b"1"


def test_an_update_that_another_has_written_over_is_not_done_twice() -> None:
    async def meanwhile() -> None:
        await store.set("k", b"2")

    bucket = ScriptedBucket(through, lose(meanwhile))
    store = opened(bucket)

    async def work() -> None:
        with pytest.raises(errors.VersionConflict) as caught:
            await store.update("k", more)
        assert caught.value.outcome == "unknown"
        assert type(caught.value) is errors.VersionConflict
        assert caught.value.object_name == "p/shared/keys/k"
        assert await store.get("k") == b"2"

    run(work())


def test_after_a_lost_race_the_winner_is_changed_without_reading_it_again() -> None:
    bucket = ScriptedBucket(through)
    store = opened(bucket)
    bucket.script.append(quicker(lambda: store, 1))

    async def work() -> None:
        assert await store.update("k", more) == b"101"
        assert now() == 0  # at once

    run(work())
    assert bucket.operations == ["get", "put", "put", "get", "put"]


def test_an_expired_value_is_replaced_without_a_try_to_create_it() -> None:
    clock, bucket = Clock(), ScriptedBucket()
    store = opened(bucket, clock=clock)
    run(store.set("k", b"7", ttl=60))
    clock.advance(60)
    seen: list[bytes | None] = []

    def next_one(value: bytes | None) -> bytes:
        seen.append(value)
        return more(value)

    assert run(store.update("k", next_one)) == b"1"
    assert seen == [None]
    assert bucket.operations == ["put", "get", "put"]


def test_a_value_that_was_deleted_meanwhile_is_created() -> None:
    async def deleted(send: Any) -> Any:
        await bucket.inner.delete("p/shared/keys/k")
        return await send()

    bucket = ScriptedBucket(through, through, deleted)
    store = opened(bucket)
    run(store.set("k", b"9"))
    assert run(store.update("k", more)) == b"1"


def test_an_update_that_loses_again_and_again_waits_and_ends_with_the_deadline() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket, deadline=5)
    bucket.always = quicker_at_puts(lambda: store)

    async def work() -> None:
        with pytest.raises(errors.VersionConflict, match="other writers were quicker") as caught:
            await store.update("k", more)
        assert (caught.value.outcome, caught.value.object_name) == ("none", "p/shared/keys/k")
        assert 1 < now() <= 5
        puts = [at for name, _, at in bucket.requests if name == "put"]
        assert 8 < len(puts) < 60  # each race is two: the rival's and ours
        waits = [later - earlier for earlier, later in pairwise(puts[1::2])]
        assert waits[0] == 0
        assert all(wait <= min(2, 0.05 * 2 ** (n + 1)) for n, wait in enumerate(waits))

    run(work())
    bucket.always = None
    assert run(store.get("k")) == b"100"


def quicker_at_puts(store: Callable[[], StateStore]) -> Callable[[Any], Any]:
    """Another writer comes first whenever this one writes."""

    async def step(send: Callable[[], Awaitable[Any]]) -> Any:
        if bucket_of(store()).operations[-1] == "put":
            return await quicker(store, 1)(send)
        return await send()

    return step


def test_the_deadline_holds_while_the_service_is_slow() -> None:
    store = opened(ScriptedBucket(always=take(3)), deadline=5)

    async def work() -> None:
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await store.update("k", more)
        assert caught.value.outcome == "unknown"
        assert now() == pytest.approx(5)

    run(work())


def test_a_snapshot_that_was_lost_to_another_is_changed_again() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket).tenant("acme")
    run(store.save_snapshot(snapshot(number=1)))
    bucket.requests.clear()

    async def refused(send: Any) -> Any:
        bucket.script.clear()
        await opened(bucket).tenant("acme").save_snapshot(snapshot(number=7))
        bucket.requests.clear()
        return await send()

    bucket.script.extend([through, refused])
    changed = run(store.update_snapshot("e1", lambda old: old and old.advance()))
    assert changed is not None
    assert changed.sequence_number == 8
    assert bucket.operations == ["get", "put"]


def test_a_condition_that_holds_and_is_refused_is_no_lost_race() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket)
    run(store.set("k", b"1"))

    async def refused(send: Any) -> Any:
        if bucket.operations[-1] == "put":
            raise errors.PreconditionFailed("refused")
        return await send()

    bucket.always = refused

    async def work() -> None:
        with pytest.raises(errors.RequestRejected):
            await store.update("k", more)

    run(work())


def test_a_race_about_the_owner_record_shows_the_function_no_missing_snapshot() -> None:
    bucket = ScriptedBucket()
    run(opened(bucket).save_snapshot(snapshot(number=1), ttl=60))
    changing = MAX_RACES

    async def written_again(send: Any) -> Any:
        nonlocal changing
        name = bucket.requests[-1].about
        if changing and bucket.operations[-1] == "put" and "/owners/" in name:
            changing -= 1
            record = await bucket.inner.get(name)
            assert record is not None
            metadata = dict(record.info.metadata)
            await bucket.inner.put(Write(name, record.body, JSON, metadata, None), None)
        return await send()

    bucket.always = written_again
    # Its record must live longer, and is written by another process each time.
    store = opened(bucket, retention=timedelta(days=30)).tenant("acme")
    seen = []

    def advance(current: ExecutionSnapshot | None) -> ExecutionSnapshot | None:
        seen.append(current)
        return current and current.advance()

    changed = run(store.update_snapshot("e1", advance))
    assert changing == 0
    assert None not in seen
    assert changed is not None
    assert changed.sequence_number == 2

"""Conditional writes with a lost reply: our own write is not mistaken for a lost race."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from statebucket import StateStore, Version, errors
from statebucket.port.bucket import Deletion, Limits, Object
from statebucket.testing import Clock
from statebucket.testing.contract.base import snapshot
from support.scripted_bucket import ScriptedBucket, fail, hang, lose, opened, through
from support.virtual_time import now, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.port.bucket import Write

pytestmark = pytest.mark.usefixtures("_scripted")

HASHES = Limits(unique_versions=False)


def conflict(call: Awaitable[Any]) -> errors.VersionConflict:
    async def work() -> errors.VersionConflict:
        with pytest.raises(errors.VersionConflict) as caught:
            await call
        return caught.value

    return run(work())


def rejected(call: Awaitable[Any]) -> errors.RequestRejected:
    async def work() -> errors.RequestRejected:
        with pytest.raises(errors.RequestRejected) as caught:
            await call
        return caught.value

    return run(work())


def refused_with(advice: str) -> Any:
    async def step(send: Any) -> Any:  # noqa: ARG001
        error = errors.PreconditionFailed("refused")
        error.remedy = advice
        raise error

    return step


async def stored_version(store: StateStore) -> Version:
    found = await store.get_stored("k")
    assert found is not None
    return found.version


class TailBucket(ScriptedBucket):
    """A bucket whose adapter stores a tail that is not part of the body."""

    def __init__(self) -> None:
        super().__init__(limits=Limits(unique_versions=False, takes_tail=True))
        self.writes: list[Write] = []

    async def put(self, write: Write, condition: Version | None) -> Version:
        self.writes.append(write)
        whole = structs.replace(write, body=write.body + write.tail, tail=b"")
        return await super().put(whole, condition)

    async def get(self, name: str) -> Object | None:
        found = await super().get(name)
        if found is None:
            return None
        rest = len(found.body) - int(found.info.metadata["tail"])
        self.read = Object(found.info, found.body[:rest], found.body[rest:])
        return self.read


def test_a_large_value_is_not_copied_to_cut_its_nonce_off() -> None:
    bucket = TailBucket()
    store = opened(bucket)
    run(store.set("k", bytes(100_000)))
    value = run(store.get("k"))
    assert value is bucket.read.body
    assert (value, bucket.read.tail != b"") == (bytes(100_000), True)
    assert store.stats().bytes_received == 100_008


def test_a_large_value_is_not_copied_to_append_its_nonce() -> None:
    bucket = TailBucket()
    store = opened(bucket)
    value = bytes(100_000)
    run(store.set("k", value))
    run(store.set("small", b"v"))
    large, small = bucket.writes
    assert large.body is value
    assert len(large.tail) == int(large.metadata["tail"]) == 8
    assert (len(small.body), small.tail, small.metadata["tail"]) == (9, b"", "8")
    assert run(store.get("k")) == value
    assert run(store.get("small")) == b"v"
    assert store.stats().bytes_sent == len(value) + 8 + 9


def test_a_nonce_is_part_of_the_body_for_an_adapter_that_takes_no_tail() -> None:
    bucket = ScriptedBucket(limits=HASHES)
    store = opened(bucket)
    value = bytes(100_000)
    run(store.set("k", value))
    kept = run(bucket.inner.get("p/shared/keys/k"))
    assert kept is not None
    assert (kept.body[:-8], len(kept.body)) == (value, 100_008)
    assert run(store.get("k")) == value


def test_json_with_a_nonce_is_json_for_those_who_read_it_without_this_library() -> None:
    bucket = ScriptedBucket(limits=HASHES)
    store = opened(bucket)
    run(store.set_json("k", {"a": 1}))
    stored = run(bucket.inner.get("p/shared/keys/k"))
    assert stored is not None
    assert json.loads(stored.body) == {"a": 1}
    assert len(stored.body) == len(b'{"a":1}') + 32


@pytest.mark.parametrize("limits", [None, HASHES], ids=["unique versions", "nonces"])
def test_a_create_whose_answer_was_lost_is_a_success(limits: Limits | None) -> None:
    bucket = ScriptedBucket(lose(), limits=limits)
    store = opened(bucket)
    version = run(store.set("k", b"mine", if_version=Version.ABSENT))
    assert bucket.operations == ["put", "put", "head"]
    assert version == run(stored_version(store))
    assert run(store.get("k")) == b"mine"


def test_a_replacement_whose_answer_was_lost_is_a_success() -> None:
    bucket = ScriptedBucket(through, lose())
    store = opened(bucket)
    first = run(store.set("k", b"1"))
    second = run(store.set("k", b"2", if_version=first))
    assert bucket.operations == ["put", "put", "put", "head"]
    assert second == run(stored_version(store))
    run(store.set("k", b"3", if_version=second))


def test_a_create_over_an_expired_object_whose_answer_was_lost_is_a_success() -> None:
    clock = Clock()
    bucket = ScriptedBucket(through, through, through, lose())
    store = opened(bucket, clock=clock)
    run(store.set("k", b"old", timedelta(seconds=1)))
    clock.advance(1)
    version = run(store.set("k", b"new", if_version=Version.ABSENT))
    # Refused, found expired, replaced, refused as no longer expired, found to be ours.
    assert bucket.operations == ["put", "put", "head", "put", "put", "head"]
    assert version == run(stored_version(store))


def test_a_snapshot_whose_answers_were_lost_is_saved() -> None:
    bucket = ScriptedBucket(lose(), through, lose())
    store = opened(bucket)
    version = run(store.save_snapshot(snapshot(), if_version=Version.ABSENT))
    # The owner record, which has no condition, then the snapshot.
    assert bucket.operations == ["put", "put", "put", "put", "head"]
    stored = run(store.load_stored("e1"))
    assert stored is not None
    assert stored.version == version


@pytest.mark.parametrize(("ttl", "looks"), [(None, 0), (60, 1)])
def test_a_save_that_is_refused_has_not_happened_though_an_answer_before_it_was_lost(
    ttl: float | None, looks: int
) -> None:
    bucket = ScriptedBucket(lose(), *[through] * (1 + looks), fail(errors.AccessDenied))

    async def work() -> None:
        with pytest.raises(errors.AccessDenied) as caught:
            await opened(bucket).save_snapshot(snapshot(), ttl=ttl)
        assert caught.value.outcome == "none"

    run(work())
    # The owner record, which has a condition where it expires, then the snapshot.
    assert bucket.operations == ["put", "put", *["get"] * looks, "put"]


def test_a_plain_write_is_simply_sent_again() -> None:
    bucket = ScriptedBucket(lose())
    run(opened(bucket).set("k", b"v"))
    assert bucket.operations == ["put", "put"]


def _other(store: Callable[[], StateStore], call: str) -> Callable[[], Awaitable[Any]]:
    async def meanwhile() -> None:
        if call == "set":
            await store().set("k", b"theirs")
        else:
            await store().delete("k")

    return meanwhile


def test_a_create_that_another_writer_replaced_meanwhile_is_a_conflict_left_open() -> None:
    bucket = ScriptedBucket(lose(_other(lambda: store, "set")))
    store = opened(bucket)
    error = conflict(store.set("k", b"mine", if_version=Version.ABSENT))
    assert error.outcome == "unknown"
    assert error.object_name == "p/shared/keys/k"
    assert run(store.get("k")) == b"theirs"


@pytest.mark.parametrize("call", ["set", "delete"])
def test_a_replacement_that_another_writer_undid_meanwhile_is_a_conflict_left_open(
    call: str,
) -> None:
    bucket = ScriptedBucket(through, lose(_other(lambda: store, call)))
    store = opened(bucket)
    first = run(store.set("k", b"1"))
    assert conflict(store.set("k", b"mine", if_version=first)).outcome == "unknown"
    assert run(store.get("k")) == (b"theirs" if call == "set" else None)


def test_a_lost_race_without_a_lost_answer_has_written_nothing() -> None:
    bucket = ScriptedBucket(through, fail())
    store = opened(bucket)
    run(store.set("k", b"theirs"))
    error = conflict(store.set("k", b"mine", if_version=Version.ABSENT))
    assert error.outcome == "none"
    assert isinstance(error.__cause__, errors.PreconditionFailed)
    assert bucket.operations == ["put", "put", "put", "head"]


def test_trouble_while_looking_into_a_conflict_is_overcome() -> None:
    bucket = ScriptedBucket(lose(), through, fail(), fail(errors.Throttled))
    run(opened(bucket).set("k", b"mine", if_version=Version.ABSENT))
    assert bucket.operations == ["put", "put", "head", "head", "head"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [(fail(errors.AccessDenied), errors.AccessDenied), (hang, errors.DeadlineExceeded)],
)
@pytest.mark.parametrize(("first", "outcome"), [(lose(), "unknown"), (through, "unknown")])
def test_where_no_one_can_look_into_a_conflict_the_outcome_is_that_of_the_writes(
    step: Any, kind: type[errors.StateBucketError], first: Any, outcome: str
) -> None:
    bucket = ScriptedBucket(first, through, step)
    store = opened(bucket)
    if first is through:
        run(store.set("k", b"theirs"))

    async def work() -> None:
        with pytest.raises(kind) as caught:
            await store.set("k", b"mine", if_version=Version.ABSENT)
        assert caught.value.outcome == outcome

    run(work())


def test_where_no_one_can_look_into_a_deletion_that_was_refused_the_outcome_is_open() -> None:
    bucket = ScriptedBucket(through, through, through, fail(errors.AccessDenied))
    store = opened(bucket)
    version = run(store.set("k", b"mine"))
    run(store.set("k", b"theirs"))

    async def work() -> None:
        with pytest.raises(errors.AccessDenied) as caught:
            await store.delete("k", if_version=version)
        assert caught.value.outcome == "unknown"

    run(work())


def test_a_create_that_is_refused_though_nothing_is_there_is_no_conflict() -> None:
    # Refused because it exists, and gone when looked at, each time.
    bucket = ScriptedBucket(*[fail(errors.PreconditionFailed), through] * 20)
    error = rejected(opened(bucket).set("k", b"mine", if_version=Version.ABSENT))
    assert "does not exist" in error.message
    assert error.outcome == "none"
    assert len(bucket.requests) == 8


def test_an_object_that_comes_and_goes_is_a_conflict_in_the_end() -> None:
    clock = Clock()
    bucket = ScriptedBucket()
    store = opened(bucket, clock=clock)

    async def again(send: Any) -> Any:
        """Another writer's value, which expires at once, was there first."""
        await rival.set("k", b"short", ttl=timedelta(seconds=1))
        clock.advance(2)
        return await send()

    async def gone(send: Any) -> Any:
        await rival.delete("k")
        return await send()

    other = ScriptedBucket()
    other.inner = bucket.inner
    rival = opened(other, clock=clock)
    refused = fail(errors.PreconditionFailed)
    bucket.script.extend([refused, again, refused, gone] * 20)
    error = conflict(store.set("k", b"mine", if_version=Version.ABSENT))
    assert "another writer keeps creating and deleting the object" in error.message
    assert error.outcome == "none"
    assert len(bucket.requests) == 16


@pytest.mark.parametrize("limits", [None, HASHES], ids=["unique versions", "nonces"])
def test_a_condition_that_holds_and_is_refused_is_the_services_fault(
    limits: Limits | None,
) -> None:
    bucket = ScriptedBucket(limits=limits)
    store = opened(bucket)
    version = run(store.set("k", b"1"))
    bucket.script.extend([refused_with("send it otherwise"), through] * 20)
    before = len(bucket.requests)
    error = rejected(store.set("k", b"2", if_version=version))
    assert error.outcome == "none"
    assert str(version) in error.message
    assert "send it otherwise" in error.message
    assert len(bucket.requests) - before == 4
    bucket.script.clear()
    assert run(store.get("k")) == b"1"


def test_a_deletion_of_what_is_at_that_version_and_is_refused_is_the_services_fault() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket)
    version = run(store.set("k", b"1"))
    bucket.script.append(refused_with("send it otherwise"))
    error = rejected(store.delete("k", if_version=version))
    assert (error.outcome, error.object_name) == ("none", "p/shared/keys/k")
    assert str(version) in error.message
    assert "send it otherwise" in error.message
    assert run(store.get("k")) == b"1"


def test_a_condition_that_holds_and_is_refused_once_is_sent_again() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket)
    version = run(store.set("k", b"1"))
    bucket.script.extend([fail(errors.PreconditionFailed), through])
    run(store.set("k", b"2", if_version=version))
    assert run(store.get("k")) == b"2"


def test_a_conflict_hides_no_error_of_the_adapters_from_the_caller() -> None:
    bucket = ScriptedBucket(through)
    store = opened(bucket)
    run(store.set("k", b"1"))
    for condition, said in (
        (Version.ABSENT, "set: the object exists already"),
        (Version("no such version"), "set: the object has changed since that version"),
    ):
        error = conflict(store.set("k", b"2", if_version=condition))
        assert error.message == said
        assert isinstance(error, errors.VersionConflict)
        assert not isinstance(error, errors.PreconditionFailed)
        assert not error.transient


PLAIN: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "set": lambda store: store.set("k", b"2"),
    "delete": lambda store: store.delete("k"),
    "get": lambda store: store.get("k"),
    "exists": lambda store: store.exists("k"),
    "list_snapshots": lambda store: store.list_snapshots("acme"),
    "health_check": lambda store: store.health_check(),
    "save_snapshot": lambda store: store.save_snapshot(snapshot()),
    "delete_execution_state": lambda store: store.delete_execution_state("e1"),
}


@pytest.mark.parametrize("call", PLAIN)
def test_a_condition_that_fails_though_none_was_sent_is_the_services_fault(call: str) -> None:
    bucket = ScriptedBucket(through)
    store = opened(bucket)
    run(store.set("k", b"1"))
    bucket.script.append(fail(errors.PreconditionFailed))
    error = rejected(PLAIN[call](store))
    assert error.outcome == "none"
    assert "the request had none" in error.message
    assert len(bucket.requests) == 2
    assert run(store.get("k")) == b"1"


def test_a_look_into_a_conflict_that_is_refused_leaves_the_outcome_open() -> None:
    bucket = ScriptedBucket(always=fail(errors.PreconditionFailed))
    error = rejected(opened(bucket).set("k", b"mine", if_version=Version.ABSENT))
    assert error.outcome == "unknown"
    assert bucket.operations == ["put", "head"]


def test_a_key_of_a_batch_whose_condition_fails_though_none_was_sent() -> None:
    async def refuse(send: Any) -> list[Deletion]:
        return [
            Deletion(one.name, error=errors.PreconditionFailed("refused")) for one in await send()
        ]

    async def work() -> errors.DeleteIncomplete:
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await opened(ScriptedBucket(refuse)).delete_many(["a", "b"])
        return caught.value

    failures = run(work()).failures
    assert [type(error) for error in failures.values()] == [errors.RequestRejected] * 2


def test_only_newer_gives_up_at_once_where_a_condition_that_holds_is_refused() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket, owner_index=False).tenant("acme")
    run(store.save_snapshot(snapshot(number=1)))
    # Each write is refused, though what was loaded is what is stored.
    bucket.script.extend([fail(errors.PreconditionFailed), through] * 1000)
    error = rejected(store.save_snapshot(snapshot(number=2), only_newer=True))
    assert error.outcome == "none"
    assert len(bucket.requests) == 5


def test_only_newer_gives_up_where_it_loses_again_and_again() -> None:
    bucket, other = ScriptedBucket(), ScriptedBucket()
    other.inner = bucket.inner
    store, rival = (opened(one, owner_index=False).tenant("acme") for one in (bucket, other))
    run(store.save_snapshot(snapshot(number=1)))

    async def beaten(send: Any) -> Any:  # noqa: ARG001
        await rival.save_snapshot(snapshot(number=1))
        raise errors.PreconditionFailed("refused")

    async def save() -> None:
        try:
            await store.save_snapshot(snapshot(number=2), only_newer=True)
        finally:
            assert now() > 1  # it does not flood the service

    bucket.script.extend([beaten, through, through] * 1000)
    error = conflict(save())
    assert error.outcome == "none"
    assert len(bucket.requests) < 130


def test_only_newer_over_a_version_loses_one_race_and_shows_the_winner() -> None:
    bucket = ScriptedBucket()
    store = opened(bucket, owner_index=False).tenant("acme")
    first = run(store.save_snapshot(snapshot(number=1)))
    run(store.save_snapshot(snapshot(number=2)))
    before = len(bucket.requests)
    error = conflict(
        store.save_snapshot(
            snapshot(number=3), only_newer=True, if_version=first, want_current=True
        )
    )
    assert error.current is not None
    assert error.current.value.sequence_number == 2
    assert bucket.operations[before:] == ["get", "put", "get"]


def test_a_snapshot_that_is_stale_after_a_lost_answer_may_have_been_saved() -> None:
    async def meanwhile() -> None:
        await store.save_snapshot(snapshot(number=5))

    bucket = ScriptedBucket(through, lose(meanwhile))
    store = opened(bucket, owner_index=False).tenant("acme")

    async def work() -> None:
        with pytest.raises(errors.StaleSnapshot, match="number 5, yours is 2") as stale:
            await store.save_snapshot(snapshot(number=2), only_newer=True)
        assert stale.value.outcome == "unknown"
        assert stale.value.object_name == "p/tenants/acme/snapshots/e1"

    run(work())


def test_a_deletion_whose_answer_was_lost_is_no_conflict_and_leaves_open_what_was_there() -> None:
    bucket = ScriptedBucket(through, lose())
    store = opened(bucket)
    version = run(store.set("k", b"v"))
    assert run(store.delete("k", if_version=version)) is None
    assert bucket.operations == ["put", "delete", "delete"]
    assert run(store.delete("k", if_version=version)) is False


def test_a_deletion_after_which_another_writer_created_the_object_is_a_conflict_left_open() -> None:
    bucket = ScriptedBucket(through, lose(_other(lambda: store, "set")))
    store = opened(bucket)
    version = run(store.set("k", b"v"))
    assert conflict(store.delete("k", if_version=version)).outcome == "unknown"
    assert run(store.get("k")) == b"theirs"


def test_a_deletion_that_is_refused_for_what_is_gone_is_no_conflict() -> None:
    bucket = ScriptedBucket(through, fail(errors.PreconditionFailed))
    store = opened(bucket)
    version = run(store.set("k", b"v"))
    run(bucket.inner.delete("p/shared/keys/k"))
    assert run(store.delete("k", if_version=version)) is False
    assert bucket.operations == ["put", "delete", "head"]


def test_what_has_expired_was_not_there_where_the_service_shows_what_it_deletes() -> None:
    clock = Clock()
    store = opened(ScriptedBucket(), clock=clock)
    run(store.set("k", b"v", 60))
    version = run(stored_version(store))
    clock.advance(60)
    assert run(store.delete("k", if_version=version)) is False
    run(store.save_snapshot(snapshot(), ttl=60))
    assert run(store.delete_snapshot("e1")) is True
    run(store.save_snapshot(snapshot(), ttl=60))
    clock.advance(60)
    assert run(store.delete_snapshot("e1")) is False


def test_what_a_later_release_wrote_says_to_update() -> None:
    class Later(ScriptedBucket):
        async def put(self, write: Write, condition: Version | None) -> Version:
            later = structs.replace(write, metadata=write.metadata | {"format": "2"})
            return await super().put(later, condition)

    store = opened(Later())
    run(store.set("k", b"v"))
    with pytest.raises(errors.CorruptObject, match=r"format '2'.*update statebucket"):
        run(store.get("k"))

"""Which failures are retried, how often, how long, and what the caller learns in the end."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import StateStore, Version, errors
from statebucket.store.retry import MAX_TRIES
from support.scripted_bucket import (
    ScriptedBucket,
    done_but_no_answer,
    fail,
    hang,
    lose,
    opened,
    through,
)
from support.virtual_time import now, run

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("_scripted")

NAME = "p/shared/keys/k"


def failure(call: Any, kind: type[errors.StateBucketError]) -> tuple[Any, float]:
    """The error that a call ends with in virtual time, and after how many seconds."""

    async def work() -> tuple[Any, float]:
        with pytest.raises(kind) as caught:
            await call
        assert type(caught.value) is kind
        return caught.value, now()

    return run(work())


def test_a_moment_of_trouble_is_not_seen_by_the_caller() -> None:
    bucket = ScriptedBucket(
        fail(errors.Throttled), fail(), fail(outcome="unknown"), fail(errors.DeadlineExceeded)
    )
    assert isinstance(run(opened(bucket).set("k", b"v")), Version)
    assert bucket.operations == ["put"] * 5
    assert run(opened(bucket).get("k")) == b"v"


def test_waits_double_up_to_two_seconds_and_differ_from_call_to_call() -> None:
    all_waits = []
    for _ in range(20):
        bucket = ScriptedBucket(always=fail())
        failure(opened(bucket, deadline=1000).get("k"), errors.Unavailable)
        waits = [later - earlier for earlier, later in pairwise(bucket.times)]
        longest = [min(2.0, 0.05 * 2**tries) for tries in range(MAX_TRIES - 1)]
        assert all(0 <= wait <= most for wait, most in zip(waits, longest, strict=True))
        all_waits.append(waits)
    # Full jitter: the last waits, all of up to 2 s, lie anywhere in between.
    last = [wait for waits in all_waits for wait in waits[-3:]]
    assert len(set(last)) == len(last)
    assert min(last) < 0.5
    assert max(last) > 1.5


def test_a_request_is_sent_ten_times_at_most() -> None:
    bucket = ScriptedBucket(always=fail())
    error, _ = failure(opened(bucket, deadline=1000).get("k"), errors.Unavailable)
    assert len(bucket.requests) == MAX_TRIES == 10
    assert error.object_name == NAME
    assert error.transient


def test_trouble_that_lasts_ends_within_the_deadline() -> None:
    for _ in range(10):
        bucket = ScriptedBucket(always=fail(errors.Throttled))
        error, seconds = failure(opened(bucket, deadline=0.3).set("k", b"v"), errors.Throttled)
        assert seconds <= 0.3
        assert len(bucket.requests) >= 2
        assert error.object_name == NAME


def test_the_service_is_given_the_time_it_asks_for() -> None:
    bucket = ScriptedBucket(
        fail(errors.Throttled, retry_after=3),
        fail(retry_after=4),
    )
    run(opened(bucket).set("k", b"v"))
    first, second, third = bucket.times
    assert first == 0
    assert second == pytest.approx(3)
    assert third == pytest.approx(7)


@pytest.mark.parametrize("retry_after", [10, 11, 1e9])
def test_no_second_request_where_the_service_asks_for_more_time_than_is_left(
    retry_after: float,
) -> None:
    bucket = ScriptedBucket(always=fail(errors.Throttled, retry_after=retry_after))
    error, seconds = failure(opened(bucket).get("k"), errors.Throttled)
    assert (len(bucket.requests), seconds) == (1, 0)
    assert error.retry_after == retry_after


@pytest.mark.parametrize("kind", [TimeoutError, ConnectionResetError, OSError])
def test_what_an_adapter_lets_through_of_its_connection_is_typed_and_tried_again(
    kind: type[OSError],
) -> None:
    async def broken(send: Any) -> Any:  # noqa: ARG001
        raise kind

    bucket = ScriptedBucket(broken)
    assert run(opened(bucket).get("k")) is None
    assert len(bucket.requests) == 2
    error, _ = failure(opened(ScriptedBucket(always=broken)).set("k", b"v"), errors.Unavailable)
    assert error.outcome == "unknown"
    assert isinstance(error.__cause__, kind)


@pytest.mark.parametrize(
    "kind",
    [
        errors.AccessDenied,
        errors.InvalidCredentials,
        errors.BucketNotFound,
        errors.CorruptObject,
        errors.RequestRejected,
    ],
)
def test_what_will_not_pass_is_told_at_once(kind: type[errors.StateBucketError]) -> None:
    calls: list[Callable[[StateStore], Any]] = [
        lambda store: store.set("k", b"v"),
        lambda store: store.get("k"),
        lambda store: store.delete("k"),
        lambda store: store.exists("k"),
        lambda store: store.health_check(),
        lambda store: store.list_snapshots("t"),
    ]
    for call in calls:
        bucket = ScriptedBucket(always=fail(kind))
        error, seconds = failure(call(opened(bucket)), kind)
        assert (len(bucket.requests), seconds) == (1, 0)
        assert not error.transient
        assert error.outcome == "none"


@pytest.mark.parametrize("said", ["there is none", "no bucket 'host' in this region"])
def test_the_error_for_a_missing_bucket_names_it_once(said: str) -> None:
    async def missing(send: Any) -> Any:  # noqa: ARG001
        raise errors.BucketNotFound(said)

    error, _ = failure(opened(ScriptedBucket(missing)).get("k"), errors.BucketNotFound)
    assert error.message.startswith(said)
    assert error.message.count("'host'") == 1


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_an_adapter_hides_is_not_even_the_context(*, wrapped: bool) -> None:
    async def hiding(_: Any) -> Any:
        try:
            int("a credential")
        except ValueError:
            hidden = OSError("a cause") if wrapped else errors.AccessDenied("no")
            raise hidden from None

    async def refused(send: Any) -> Any:
        try:
            return await hiding(send)
        except OSError as error:
            raise errors.AccessDenied("no") from error

    error, _ = failure(opened(ScriptedBucket(refused)).get("k"), errors.AccessDenied)
    shown = error.__cause__ if wrapped else error
    assert (shown.__cause__, shown.__context__) == (None, None), "some loggers show both"


def test_a_deadline_of_an_adapters_own_is_told_as_it_is() -> None:
    bucket = ScriptedBucket(always=fail(errors.DeadlineExceeded))
    error, _ = failure(opened(bucket, deadline=1000).set("k", b"v"), errors.DeadlineExceeded)
    assert (error.message, error.outcome) == ("refused", "none")
    assert len(bucket.requests) == MAX_TRIES


@pytest.mark.parametrize("deadline", [0.2, 10, 3600])
def test_a_hung_service_is_given_up_at_the_deadline(deadline: float) -> None:
    bucket = ScriptedBucket(always=hang)
    error, seconds = failure(opened(bucket, deadline=deadline).get("k"), errors.DeadlineExceeded)
    assert seconds == pytest.approx(deadline, rel=0.01)
    assert error.object_name == NAME
    assert f"{deadline:g} s" in str(error)
    assert isinstance(error, TimeoutError)


def test_a_view_with_another_deadline_gives_up_at_that() -> None:
    store = opened(ScriptedBucket(always=hang)).tenant("t").with_deadline(0.5)
    _, seconds = failure(store.load_snapshot("e"), errors.DeadlineExceeded)
    assert seconds == pytest.approx(0.5)


def test_the_deadline_is_that_of_the_whole_call() -> None:
    # A conditional write and the look into its failure: one budget for both.
    bucket = ScriptedBucket(through, through, always=hang)
    store = opened(bucket, deadline=2)
    run(store.set("k", b"1"))

    async def create() -> None:
        await store.set("k", b"2", if_version=Version.ABSENT)

    error, seconds = failure(create(), errors.DeadlineExceeded)
    assert bucket.operations == ["put", "put", "head"]
    assert seconds == pytest.approx(2)
    assert error.outcome == "unknown"


def test_in_real_time_too_a_hung_service_is_given_up() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        store = opened(ScriptedBucket(always=hang), deadline=1)
        started = loop.time()
        with pytest.raises(errors.DeadlineExceeded):
            await store.get("k")
        return loop.time() - started

    # A busy machine is late; in virtual time it is exact.
    assert 1 <= asyncio.run(work()) < 20


def test_what_failed_before_the_deadline_is_told_and_is_the_cause() -> None:
    bucket = ScriptedBucket(fail(), always=hang)
    error, _ = failure(opened(bucket).get("k"), errors.DeadlineExceeded)
    assert isinstance(error.__cause__, errors.Unavailable)
    assert f"; the try before it failed: {error.__cause__.message}" in str(error)


# Whether the write may have happened.

LOST = fail(outcome="unknown")

OUTCOMES = {
    "a write without an answer": ([hang], errors.DeadlineExceeded, "unknown"),
    "a write that was done": ([done_but_no_answer], errors.DeadlineExceeded, "unknown"),
    "refused": ([fail(errors.AccessDenied)], errors.AccessDenied, "none"),
    "refused again and again": ([fail()] * MAX_TRIES, errors.Unavailable, "none"),
    "lost again and again": ([LOST] * MAX_TRIES, errors.Unavailable, "unknown"),
    "lost, then refused for a moment": (
        [LOST] + [fail()] * MAX_TRIES,
        errors.Unavailable,
        "unknown",
    ),
    "lost, then refused": (
        [lose(), fail(errors.AccessDenied)],
        errors.AccessDenied,
        "unknown",
    ),
    "refused, then no answer": ([fail(), hang], errors.DeadlineExceeded, "unknown"),
}


@pytest.mark.parametrize(("script", "kind", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_the_outcome_of_a_write(
    script: list[Any], kind: type[errors.StateBucketError], outcome: str
) -> None:
    error, _ = failure(opened(ScriptedBucket(*script)).set("k", b"v"), kind)
    assert error.outcome == outcome
    assert error.object_name == NAME
    assert NAME in str(error)
    assert ("may have happened" in str(error)) == (outcome == "unknown")


@pytest.mark.parametrize("script", [[hang], [LOST] * MAX_TRIES])
def test_a_read_leaves_nothing_open(script: list[Any]) -> None:
    for call in ("get", "exists", "get_json"):
        store = opened(ScriptedBucket(*script))

        async def work(store: StateStore = store, call: str = call) -> None:
            with pytest.raises(errors.StateBucketError) as caught:
                await getattr(store, call)("k")
            assert caught.value.outcome == "none"

        run(work())


def test_a_write_that_only_waited_for_its_turn_was_not_sent() -> None:
    bucket = ScriptedBucket(hang)

    async def work() -> None:
        store = opened(bucket, max_in_flight=1)
        first = asyncio.create_task(store.with_deadline(5).set("first", b"v"))
        await asyncio.sleep(0)
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await store.with_deadline(1).set("second", b"v")
        assert caught.value.outcome == "none"
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await first
        assert caught.value.outcome == "unknown"

    run(work())
    assert len(bucket.requests) == 1


def test_a_write_that_was_refused_and_then_only_waited_has_not_happened() -> None:
    bucket = ScriptedBucket(fail(errors.Throttled), always=hang)

    async def work() -> errors.StateBucketError:
        store = opened(bucket, max_in_flight=1, deadline=2)
        write = asyncio.create_task(store.set("k", b"v"))
        await asyncio.sleep(0)
        others = [asyncio.create_task(store.get("other")) for _ in range(2)]
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await write
        await asyncio.gather(*others, return_exceptions=True)
        return caught.value

    assert run(work()).outcome == "none"
    assert bucket.operations.count("put") == 1

"""The coalescing writer, on a bucket that is as slow and faulty as each test needs.

Time is the event loop's own and runs as fast as the tests do: `VirtualLoop` skips what no one waits
for.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import ExecutionSnapshot, errors
from support.places import ACME, E1, snapshot
from support.slow_bucket import SlowBucket
from support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket import StateStore
    from statebucket.contract.writer import SnapshotWriter


Body = "Callable[[StateStore, SlowBucket], Awaitable[None]]"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a coroutine with a store on a bucket, in virtual time."""

    def running(
        body: Callable[[StateStore, SlowBucket], Awaitable[None]], **options: float
    ) -> None:
        bucket = SlowBucket(**options)

        async def main() -> None:
            async with bucket.store(monkeypatch) as store:
                await body(store.tenant(ACME), bucket)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())

    return running


def numbers(bucket: SlowBucket) -> list[int]:
    """The sequence numbers that were stored, in their order."""
    return [ExecutionSnapshot.from_json(body).sequence_number for body in bucket.written]


def handed(writer: SnapshotWriter) -> int:
    """How many snapshots the writer accounts for."""
    return writer.saved + writer.dropped + writer.failed


def test_while_a_save_is_in_flight_only_the_latest_waits(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            for number in range(100):
                writer.save(snapshot(number))
                await asyncio.sleep(0.01)
        # A save takes 10 times as long as the next snapshot does to come.
        assert 10 <= len(bucket.written) <= 12
        assert bucket.most_in_flight == 1
        assert numbers(bucket) == sorted(numbers(bucket))
        assert numbers(bucket)[-1] == 99
        assert (writer.saved, handed(writer)) == (len(bucket.written), 100)

    run(body, seconds=0.1)


def test_saves_leave_the_service_its_interval(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with store.writer(E1) as writer:
            for number in range(100):
                writer.save(snapshot(number))
                await asyncio.sleep(0.1)
        gaps = [
            later - earlier
            for earlier, later in zip(bucket.started, bucket.started[1:], strict=False)
        ]
        assert bucket.started[0] - begun < 0.1, "the first need not wait"
        assert all(0.99 <= gap <= 1.2 for gap in gaps)
        assert len(gaps) in {9, 10}
        assert numbers(bucket)[-1] == 99

    run(body, seconds=0.02, write_interval=1.0)


def test_a_flush_waits_for_the_latest_and_says_its_version(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            assert await writer.flush() is None
            for number in (1, 2, 3):
                writer.save(snapshot(number))
            version = await writer.flush()
            assert numbers(bucket)[-1] == 3
            found = await store.load_stored(E1)
            assert found is not None
            assert version == writer.version == found.version
            assert await writer.flush() == version
        assert len(bucket.started) == len(bucket.written) <= 2

    run(body, seconds=0.1, write_interval=1.0)


def test_leaving_the_block_writes_what_waits(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            await asyncio.sleep(0.05)
            writer.save(snapshot(2))
        assert numbers(bucket) == [1, 2]
        with pytest.raises(ZeroDivisionError):
            await _failing(store)
        assert numbers(bucket) == [1, 2, 3]

    async def _failing(store: StateStore) -> None:
        async with store.writer(E1) as writer:
            writer.save(snapshot(3))
            raise ZeroDivisionError

    run(body, seconds=0.1, write_interval=1.0)


def test_what_is_no_snapshot_is_refused_at_once_with_what_to_write(
    run: Callable[..., None],
) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        changed = snapshot(1)
        changed.variables["rows"] = {1}
        values: list[Any] = [{"execution_id": E1}, changed, store.load_snapshot(E1)]
        async with store.writer(E1) as writer:
            for value, match in zip(
                values,
                [r"save: .*dict; write ExecutionSnapshot\(", r"variables\.rows", "write await"],
                strict=True,
            ):
                with pytest.raises(errors.InvalidSnapshot, match=match):
                    writer.save(value)
        values[2].close()
        assert numbers(bucket) == []
        assert (writer.saved, writer.dropped, writer.failed) == (0, 0, 0)

    run(body)


def test_an_error_is_raised_by_the_next_save_or_flush(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            bucket.failures = [errors.AccessDenied("first"), errors.AccessDenied("second")]
            writer.save(snapshot(1))
            await asyncio.sleep(1)
            with pytest.raises(errors.AccessDenied, match="first"):
                writer.save(snapshot(2))
            writer.save(snapshot(3))  # raised once; the writer goes on
            with pytest.raises(errors.AccessDenied, match="second"):
                await writer.flush()
            writer.save(snapshot(4))
        assert numbers(bucket) == [4]
        assert (writer.saved, writer.dropped, writer.failed) == (1, 0, 2)

    run(body, seconds=0.1)


def test_an_error_reaches_every_flush_that_waited_for_the_save(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            version = await writer.flush()
            bucket.failures = [errors.AccessDenied("of the second")]
            writer.save(snapshot(2))
            waited = await asyncio.gather(
                *(writer.flush() for _ in range(3)), return_exceptions=True
            )
            assert [type(one) for one in waited] == [errors.AccessDenied] * 3
            assert await writer.flush() == version, "raised already, and nothing since"
        assert numbers(bucket) == [1]

    run(body, seconds=0.1)


def test_a_flush_waits_for_the_snapshot_that_another_task_saves_after_an_error(
    run: Callable[..., None],
) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async def again() -> None:
            with pytest.raises(errors.AccessDenied):
                await writer.flush()
            writer.save(snapshot(2))

        bucket.failures = [errors.AccessDenied("of the first")]
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            _, version = await asyncio.gather(again(), writer.flush())
            assert version == writer.version is not None
        assert numbers(bucket) == [2]

    run(body, seconds=0.1)


def test_an_error_on_the_way_out_is_raised_unless_the_block_has_one(
    run: Callable[..., None],
) -> None:
    async def leave(store: StateStore, error: type[BaseException] | None) -> None:
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            if error is not None:
                raise error

    async def body(store: StateStore, bucket: SlowBucket) -> None:
        bucket.failures = [errors.AccessDenied("raised"), errors.AccessDenied("not in the way")]
        with pytest.raises(errors.AccessDenied):
            await leave(store, None)
        with pytest.raises(ZeroDivisionError):
            await leave(store, ZeroDivisionError)

    run(body, seconds=0.1)


def test_a_failed_save_does_not_take_the_one_behind_it_along(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        bucket.failures = [errors.AccessDenied("of the first")]
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            await asyncio.sleep(0.05)
            writer.save(snapshot(2))  # while the first is in flight
            await writer.flush()
        assert numbers(bucket) == [2]
        assert (writer.saved, writer.dropped, writer.failed) == (1, 0, 1)

    run(body, seconds=0.1)


def test_a_throttled_save_is_tried_again_and_then_raised(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        bucket.failures = [errors.Throttled("once a second"), errors.Throttled("twice")]
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
        assert numbers(bucket) == [1]
        bucket.failures = [errors.Throttled("always")] * 50
        with pytest.raises(errors.Throttled):
            async with store.writer(E1) as writer:
                writer.save(snapshot(2))
        assert (writer.saved, writer.failed) == (0, 1)

    run(body)


def test_what_is_no_error_of_ours_is_raised_too(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        bucket.failures = [TypeError("a bug of an adapter")]
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            await asyncio.sleep(1)
            with pytest.raises(TypeError):
                await writer.flush()
        assert writer.failed == 1

    run(body, seconds=0.1)


def test_a_writer_that_is_not_entered_says_so(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        writer: Any = store.writer(E1)
        with pytest.raises(errors.UnsupportedOperation, match=r"save: .*async with store\.writer"):
            writer.save(snapshot(1))
        with pytest.raises(errors.UnsupportedOperation, match=r"async with store\.writer"):
            await writer
        with pytest.raises(errors.UnsupportedOperation, match=r"async with store\.writer"), writer:
            pass
        assert handed(writer) == len(bucket.started) == 0

    run(body, seconds=0.1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_leaves_its_parent_s_writer_alone(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            child = os.fork()
            if not child:
                status = 1
                try:
                    with pytest.raises(errors.UnsupportedOperation, match="another process"):
                        writer.save(snapshot(2))
                    await writer.__aexit__(None, None, None)
                    assert numbers(bucket) == []
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0  # noqa: ASYNC222  (it waits for nothing)
        assert numbers(bucket) == [1]

    run(body)


@pytest.mark.parametrize("ttl", [0, -1, "60", True])
def test_a_ttl_that_is_none_is_refused_before_the_block(run: Callable[..., None], ttl: Any) -> None:
    async def body(store: StateStore, _: SlowBucket) -> None:
        with pytest.raises(errors.InvalidTTL, match="positive timedelta or number of seconds"):
            store.writer(E1, ttl=ttl)

    run(body)


def test_a_cancelled_block_still_writes_what_it_was_given(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        writers: list[Any] = []

        async def work() -> None:
            async with store.writer(E1) as writer:
                writers.append(writer)
                writer.save(snapshot(1))
                await asyncio.sleep(0.01)
                writer.save(snapshot(2))
                await asyncio.sleep(3600)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert numbers(bucket) == [1, 2]
        assert writers[0].saved == 2

    run(body, seconds=0.1, write_interval=1.0)


def test_a_block_that_is_cancelled_twice_ends_and_accounts_for_all(
    run: Callable[..., None],
) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        writers: list[Any] = []

        async def work() -> None:
            async with store.writer(E1) as writer:
                writers.append(writer)
                for number in range(5):
                    writer.save(snapshot(number))
                    await asyncio.sleep(0.01)
                await asyncio.sleep(3600)

        task = asyncio.create_task(work())
        for _ in range(2):
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bucket.in_flight == 0
        assert numbers(bucket) == []
        # One was in flight, whose outcome is open; one waited; three had been replaced.
        assert (writers[0].saved, writers[0].dropped, writers[0].failed) == (0, 4, 1)
        await asyncio.sleep(100)
        assert numbers(bucket) == [], "nothing goes on behind the caller's back"

    run(body, seconds=5.0)


def test_a_cancelled_flush_leaves_the_save_under_way(run: Callable[..., None]) -> None:
    async def body(store: StateStore, bucket: SlowBucket) -> None:
        async with store.writer(E1) as writer:
            writer.save(snapshot(1))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await writer.flush()
            await writer.flush()
            assert numbers(bucket) == [1]

    run(body, seconds=0.2)

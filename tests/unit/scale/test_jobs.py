"""What the outcomes of several parts make together."""

from __future__ import annotations

import pytest

from statebucket import errors, open_store
from statebucket.admin import CopyReport, Inventory
from statebucket.contract.partition import shared_out
from statebucket.scale.jobs import Job, Outcome, Stores, checked, compared
from statebucket.store.rows_read import PartRows
from support.scripted_bucket import ScriptedBucket, opened
from support.virtual_time import run

COPY = Job(command="copy", url="memory://", target="memory://")
JOB = Job(command="inventory", url="memory://", report="m.json")
PARTS = shared_out("m.json", 9, 3, None)


def outcome(*rows: int, all_parts: int) -> Outcome:
    found = [PartRows(read, all_parts) for read in rows]
    return Outcome(report=Inventory(listed=sum(rows)), rows=dict(enumerate(found)))


def test_the_rows_of_all_parts_are_held_to_the_manifest() -> None:
    assert checked(JOB, compared(JOB, PARTS, outcome(2, 3, 4, all_parts=9))) == Inventory(listed=9)
    with pytest.raises(errors.InvalidReport, match="have 9 rows, and 10 by the manifest"):
        checked(JOB, compared(JOB, PARTS, outcome(2, 3, 4, all_parts=10)))


def test_some_of_the_parts_are_not_compared() -> None:
    for parts, some in (
        (PARTS, outcome(2, 3, all_parts=10)),  # the third has failed
        (PARTS[:2], outcome(2, 3, all_parts=10)),  # the third is another machine's
        (PARTS, Outcome(report=Inventory())),  # the manifest has no number
    ):
        assert compared(JOB, parts, some) == some


def test_a_part_that_two_processes_have_run_counts_once() -> None:
    first, again = outcome(2, all_parts=5), outcome(2, 3, all_parts=5)
    total = first + again
    assert compared(JOB, shared_out("m.json", 9, 2, None), total) == total


def test_the_first_error_of_a_copy_says_how_many_there_are_and_if_a_write_is_open() -> None:
    closed = errors.Throttled("slow down")
    left_open = errors.Unavailable("the reply is lost", outcome="unknown")
    total = Outcome(report=CopyReport(seen=9, copied=9), failed=3, errors=(closed, left_open))
    with pytest.raises(errors.Unavailable, match="may have happened") as caught:
        checked(COPY, total)
    assert caught.value.__notes__ == ["This is one of 3 failures"]
    assert caught.value.report == total.report


@pytest.mark.usefixtures("_scripted")
def test_a_part_of_a_copy_that_fails_reports_what_it_has_done() -> None:
    async def work() -> None:
        source, bucket = open_store("memory://"), ScriptedBucket()
        for at in range(5):
            await source.set(f"k{at}", b"v")
        bucket.refuse("put", after=3, kind=errors.OutOfSpace)
        (part,) = await source.partitions(1)
        done = await Stores(COPY, source, opened(bucket)).run(part)
        assert isinstance(done.report, CopyReport)
        assert (done.report.copied, done.failed) == (3, 1)
        assert isinstance(done.errors[0], errors.OutOfSpace)

    run(work())

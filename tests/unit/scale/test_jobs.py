"""What the outcomes of several parts make together."""

from __future__ import annotations

import pytest

from statebucket import errors
from statebucket.admin import Inventory
from statebucket.contract.partition import shared_out
from statebucket.scale.jobs import Job, Outcome, checked, compared
from statebucket.store.rows_read import PartRows

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

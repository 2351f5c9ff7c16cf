"""Every one of the twenty-five cases has its tests, and tests/README.md says which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generators.pages import PROMISES
from generators.promises import CASES, found, rendered, servers


def test_all_twenty_five_are_there_in_order() -> None:
    assert [case.number for case in CASES if case.number is not None] == list(range(1, 26))
    assert all(case.tests for case in CASES)


@pytest.mark.parametrize("test", sorted({test for case in CASES for test in case.tests}))
def test_a_test_of_the_table_exists(test: str) -> None:
    functions = found(test)
    assert functions
    assert all(callable(function) for function in functions)


def test_a_test_that_does_not_exist_would_be_found() -> None:
    assert found("faults.test_storms:test_that_no_one_wrote") == []


def test_every_test_here_belongs_to_a_case() -> None:
    listed = {
        function.__qualname__
        for case in CASES
        for test in case.tests
        if test.startswith("faults.")
        for function in found(test)
    }
    there = {
        function.__qualname__
        for path in (Path(__file__).parents[1] / "faults").glob("test_*.py")
        for function in found(f"faults.{path.stem}:*")
    }
    assert there == listed


def test_where_a_test_runs_is_read_from_its_parameters() -> None:
    assert servers(["faults.test_conflicting_requests:*"]) == "moto, ministack, SeaweedFS"
    assert servers(["faults.test_write_rate:*"]) == "fake-gcs-server"
    assert servers(["contract.ttl:test_what_is_no_ttl_is_refused"]) == "all"
    assert (
        servers(["adapters.local.test_processes:test_a_kill_leaves_the_old_or_the_new_snapshot"])
        == "SQLite"
    )


def test_the_page_has_this_table() -> None:
    table = rendered()
    if os.environ.get("UPDATE_PAGES"):
        PROMISES.write(table)
    assert PROMISES.stored() == table, "run `make promises-table`"

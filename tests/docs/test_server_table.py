"""The table of servers in tests/README.md matches what the tests show on each."""

from __future__ import annotations

import os
from importlib import import_module

import pytest

from generators.pages import SERVERS
from generators.promises import found
from generators.server_table import ROWS, Row, classes, rendered, version
from statebucket.testing import StateStoreContract


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_row_names_is_there(row: Row) -> None:
    assert version(row)
    assert all(issubclass(kind, StateStoreContract) for kind in classes(row))
    assert all(found(test) for _, test in row.shown)
    assert row.contract or row.shown


def test_every_class_that_runs_the_suite_on_a_server_has_its_row() -> None:
    listed = {kind for row in ROWS for kind in classes(row)}
    there = {
        kind
        for name in (
            "adapters.s3.test_contract",
            "adapters.s3.test_seaweedfs",
            "adapters.s3.rgw.test_contract",
            "adapters.gcs.test_contract",
            "adapters.azure.test_contract",
        )
        for kind in vars(import_module(name)).values()
        if isinstance(kind, type)
        and issubclass(kind, StateStoreContract)
        and kind.__name__.startswith("Test")
    }
    assert there == listed


def test_the_page_has_this_table() -> None:
    table = rendered()
    if os.environ.get("UPDATE_PAGES"):
        SERVERS.write(table)
    assert SERVERS.stored() == table, "run `make servers-table`"

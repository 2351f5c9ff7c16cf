"""Commands that fail half-way: what they did is in the answer beside the error."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import expire
from statebucket import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refuse(path: Path, verb: str, pattern: str) -> None:
    """Lets the database have no space to write or delete the objects whose names match."""
    row = "old" if verb == "DELETE" else "new"
    with closing(sqlite3.connect(path)) as db, db:
        # A table that has given out its last row id: SQLite calls that full, as it does a disk.
        db.execute("CREATE TABLE full (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        db.execute(f"INSERT INTO full VALUES ({2**63 - 1})")
        db.execute(
            f"CREATE TRIGGER refused BEFORE {verb} ON statebucket_objects "
            f"WHEN {row}.name GLOB '{pattern}' BEGIN INSERT INTO full VALUES (NULL); END"
        )


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A store to copy to, which has no space for globex."""
    url = f"sqlite:///{tmp_path}/copy.db"

    async def create() -> None:
        async with open_store(url) as store:
            await store.health_check()

    asyncio.run(create())
    refuse(tmp_path / "copy.db", "INSERT", "tenants/globex/*")
    return url


@pytest.mark.parametrize("how", [(), ("--partition", "1/1")])
def test_a_copy_that_a_store_s_error_ends_says_what_was_copied(
    cli: Callable[..., Any], url: str, target: str, how: tuple[str, ...]
) -> None:
    answer = cli("copy", url, target, *how, "--json")
    error = answer.json["error"]
    assert (answer.code, error["kind"], error["outcome"]) == (1, "OutOfSpace", "none")
    # All of acme; the key without a tenant comes last, or in another part.
    assert error["report"]["copied"] in {7, 8}
    again = cli("copy", url, target, *how).text
    assert "already there, and equal" in again
    assert "OutOfSpace: " in again


def test_of_a_sweep_that_cannot_remove_all_the_report_is_in_the_answer(
    cli: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    expire(url, 3)
    refuse(tmp_path / "state.db", "DELETE", "*/old1")
    answer = cli("sweep", "--yes", "--json")
    error = answer.json["error"]
    assert (answer.code, error["kind"], error["report"]["removed"]) == (1, "SweepIncomplete", 2)
    expire(url, 1)
    assert "Removed: 1 expired object (" in cli("sweep", "--yes").text


@pytest.mark.parametrize(
    ("command", "refused"),
    [(("rm-tenant", "acme"), "*/acme/keys/*"), (("rm-execution", "e1"), "owners/*")],
)
def test_of_a_removal_that_leaves_something_the_report_is_in_the_answer(
    cli: Callable[..., Any], tmp_path: Path, command: tuple[str, ...], refused: str
) -> None:
    before = (tmp_path / "state.db").read_bytes()
    refuse(tmp_path / "state.db", "DELETE", refused)
    answer = cli(*command, "--yes", "--json")
    error = answer.json["error"]
    assert (answer.code, error["kind"]) == (1, "DeleteIncomplete")
    assert error["report"]["keys"] > 0

    (tmp_path / "state.db").write_bytes(before)
    refuse(tmp_path / "state.db", "DELETE", refused)
    text = cli(*command, "--yes").text
    assert f"{error['report']['keys']} key" in text.splitlines()[0]
    assert "DeleteIncomplete: " in text

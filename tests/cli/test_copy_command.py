"""``statebucket copy`` with ``--json``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_everything_is_copied_and_again_nothing(
    cli: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    target = f"sqlite:///{tmp_path}/copy.db"
    first = cli("copy", url, target, "--json")
    assert first.code == 0
    assert (first.json["ok"], first.json["copied"], first.json["tenants"]) == (True, 9, 2)
    again = cli("copy", url, target, "--json").json
    assert (again["copied"], again["same"]) == (0, 9)
    there = cli("tenants", "-u", target, "--json").json
    assert there == cli("tenants", "--json").json


def test_one_tenant(cli: Callable[..., Any], url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/copy.db"
    assert cli("copy", url, target, "-t", "globex", "--json").json["copied"] == 1
    found = cli("tenants", "-u", target, "--json").json["tenants"]
    assert [one["name"] for one in found] == ["globex"]


def test_a_tenant_that_is_not_there_is_exit_code_1(
    cli: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    answer = cli("copy", url, f"sqlite:///{tmp_path}/copy.db", "-t", "unknown", "--json")
    assert (answer.code, answer.json["error"]["kind"]) == (1, "NotFound")


def test_a_store_that_is_bound_to_a_tenant_is_not_copied_whole(
    cli: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    target = f"sqlite:///{tmp_path}/copy.db"
    for source, destination in ((f"{url}?tenant=acme", target), (url, f"{target}?tenant=acme")):
        answer = cli("copy", source, destination, "--json")
        assert answer.code != 0
        assert "bound to no tenant" in answer.json["error"]["message"]
    assert not (tmp_path / "copy.db").exists()


def test_onto_itself_is_wrong_usage(cli: Callable[..., Any], url: str) -> None:
    assert cli("copy", url, url).code == 2


def test_what_could_not_be_copied_is_exit_code_1(
    cli: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    # Such a store has no place for keys without a tenant.
    target = f"sqlite:///{tmp_path}/copy.db?owner_index=false"
    answer = cli("copy", url, target, "--json")
    assert answer.code == 1
    assert (answer.json["ok"], answer.json["copied"], answer.json["failed"]) == (False, 8, 1)
    assert "shared/keys/banner" in answer.json["failures"]


def test_memory_is_refused(cli: Callable[..., Any], url: str) -> None:
    assert cli("copy", url, "memory://", "--json").code == 2


def test_a_source_file_that_is_missing_is_refused_and_not_made(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    typo, target = f"sqlite:///{tmp_path}/typo.db", f"sqlite:///{tmp_path}/copy.db"
    answer = cli("copy", typo, target, "--json")
    assert (answer.code, answer.json["error"]["kind"]) == (3, "BucketNotFound")
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """A store that can be reached and holds nothing, as below a misspelt prefix."""
    url = f"sqlite:///{tmp_path}/empty.db"

    async def work() -> None:
        async with open_store(url) as store:
            await store.health_check()

    asyncio.run(work())
    return url


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--jobs", "2")])
def test_a_source_that_holds_nothing_is_told_and_no_error(
    cli: Callable[..., Any], empty: str, tmp_path: Path, more: tuple[str, ...]
) -> None:
    answer = cli("copy", empty, f"sqlite:///{tmp_path}/copy.db", *more)
    assert answer.code == 0
    assert f"There is nothing to copy at {empty}. If there should be, check the URL." in answer.text


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("inventory",), "of statebucket"),
        (("inventory", "-t", "acme"), "of tenant 'acme'"),
        (("sweep", "--yes"), "of statebucket"),
        (("sweep", "--dry-run", "-t", "acme"), "of tenant 'acme'"),
        (("sweep",), "of statebucket"),
    ],
)
def test_so_are_commands_that_look_at_a_whole_store(
    cli: Callable[..., Any], empty: str, url: str, command: tuple[str, ...], what: str
) -> None:
    answer = cli(*command, "-u", empty)
    assert answer.code == 0
    assert f"There is nothing {what} at {empty}. If there should be, check the URL." in answer.text
    as_json = cli(*command, "-u", empty, "--json")
    assert as_json.code == 0
    assert "There is nothing" not in cli(*command, "-u", url).text


def test_a_machine_s_part_may_well_hold_nothing(
    cli: Callable[..., Any], empty: str, tmp_path: Path
) -> None:
    target = f"sqlite:///{tmp_path}/copy.db"
    assert cli("copy", empty, target).code == 0
    part = ("--partition", "2/2", "--run", "r")
    for command in (("copy", empty, target), ("sweep", "-y", "-u", empty)):
        assert "There is nothing" not in cli(*command, *part).text

"""Every command with ``--json``: one document on stdout, and a meaningful exit code."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import expire
from statebucket import open_store, sync
from support.targets.local import SQLiteTarget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_health(cli: Callable[..., Any]) -> None:
    answer = cli("health", "--json")
    assert answer.code == 0
    assert (answer.json["ok"], answer.json["service"]) == (True, "sqlite")


def test_tenants_with_counts_and_bytes_the_largest_first(cli: Callable[..., Any]) -> None:
    found = cli("tenants", "--json").json["tenants"]
    assert [one["name"] for one in found] == ["acme", "globex"]
    assert (found[0]["snapshots"], found[0]["keys"], found[0]["objects"]) == (3, 4, 7)
    assert found[0]["bytes"] > found[1]["bytes"] > 0


def test_snapshots(cli: Callable[..., Any]) -> None:
    answer = cli("snapshots", "acme", "--limit", "2", "--json").json
    assert answer["more"] is True
    assert [one["execution"] for one in answer["snapshots"]] == ["e0", "e1"]
    assert answer["snapshots"][1]["sequence_number"] == 1
    assert answer["snapshots"][1]["expires_at"] is not None


def test_an_inventory_of_one_tenant_does_not_claim_to_have_counted_owner_records(
    cli: Callable[..., Any],
) -> None:
    assert cli("inventory", "--json").json["owners"] == 4
    alone = cli("inventory", "-t", "acme", "--json").json
    assert (alone["objects"], alone["owners"]) == (7, None)
    assert "7 objects, owner records not counted" in cli("inventory", "-t", "acme").text
    assert cli("inventory").text.splitlines()[-1] == "13 objects, of which 4 owner records"
    assert "(no tenant)" not in cli("inventory", "-t", "acme").text


def test_a_table_in_a_pipe_has_no_padding_at_the_ends_of_its_lines(cli: Callable[..., Any]) -> None:
    for command in (["doctor"], ["inventory"], ["tenants"]):
        lines = cli(*command).text.splitlines()
        assert lines == [line.rstrip() for line in lines]


def test_keys_of_a_tenant_and_those_without_one(cli: Callable[..., Any]) -> None:
    answer = cli("keys", "--tenant", "acme", "--json").json
    assert (answer["tenant"], answer["execution"], answer["more"]) == ("acme", None, False)
    (settings,) = answer["keys"]
    assert (settings["key"], settings["size"], settings["expires_at"]) == ("settings", 2, None)
    assert settings["modified_at"]
    assert [one["key"] for one in cli("keys", "--json").json["keys"]] == ["banner"]


def test_keys_of_an_execution_a_page_at_a_time(cli: Callable[..., Any]) -> None:
    for name in ("row-1", "row-2", "row-3", "rest"):
        cli("set", f"exec:e1:{name}", "x", "-t", "acme")
    command = ("keys", "e1", "-t", "acme", "--prefix", "exec:e1:row-", "--limit", "2", "--json")
    first = cli(*command).json
    assert (first["execution"], first["more"]) == ("e1", True)
    assert [one["key"] for one in first["keys"]] == ["exec:e1:row-1", "exec:e1:row-2"]
    rest = cli(*command, "--after", first["keys"][-1]["key"]).json
    assert (rest["more"], [one["key"] for one in rest["keys"]]) == (False, ["exec:e1:row-3"])
    assert cli("keys", "e1", "--json").json["keys"] == []
    refused = cli("keys", "e1", "-t", "acme", "--prefix", "row", "--json")
    assert (refused.code, refused.json["error"]["kind"]) == (2, "InvalidArgument")


def test_executions_of_a_tenant_and_those_without_one(cli: Callable[..., Any]) -> None:
    cli("set", "exec:only-keys:k", "x", "-t", "acme")
    cli("set", "exec:shared:k", "x")
    answer = cli("executions", "-t", "acme", "--json").json
    assert answer == {
        "tenant": "acme",
        "more": False,
        "executions": ["e0", "e1", "e2", "only-keys"],
    }
    assert cli("executions", "--json").json["executions"] == ["shared"]
    some = cli("executions", "-t", "acme", "--limit", "3", "--json").json
    assert (some["more"], len(some["executions"])) == (True, 3)


def test_snapshots_a_page_at_a_time(cli: Callable[..., Any]) -> None:
    command = ("snapshots", "acme", "--prefix", "e", "--json")
    found = cli(*command, "--after", "e0", "--limit", "1").json
    assert (found["more"], [one["execution"] for one in found["snapshots"]]) == (True, ["e1"])
    found = cli(*command, "--after", "e1", "--limit", "1").json
    assert (found["more"], [one["execution"] for one in found["snapshots"]]) == (False, ["e2"])
    assert cli("snapshots", "acme", "--prefix", "x", "--json").json["snapshots"] == []


def test_a_corrupt_snapshot_is_a_row_among_the_others(cli: Callable[..., Any], url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        file.execute(
            "UPDATE statebucket_objects SET body = x'00' WHERE name = 'tenants/acme/snapshots/e1'"
        )
        file.commit()
    answer = cli("snapshots", "acme", "--json")
    rows = answer.json["snapshots"]
    assert (answer.code, [one["execution"] for one in rows]) == (1, ["e0", "e1", "e2"])
    assert rows[1]["corrupt"]
    assert "sequence_number" in rows[2]
    assert re.search(r"e1 +corrupt", cli("snapshots", "acme").text)


def test_show_has_the_snapshot_as_it_is_stored_and_its_keys(cli: Callable[..., Any]) -> None:
    answer = cli("show", "g0", "--json").json
    assert answer["snapshot"]["state"] == {"Waiting": "Approval"}
    assert answer["stored"]["state"] == "Waiting: Approval"
    rows = cli("show", "e1", "--json").json["keys"]
    assert [(row["key"], row["size"]) for row in rows] == [("exec:e1:rows", 6)]


def test_show_says_that_there_are_more_keys(cli: Callable[..., Any], tmp_path: Path) -> None:
    names = (f"tenants/acme/executions/many/k{number:04}" for number in range(1001))
    SQLiteTarget(tmp_path).raw_put_many(names)  # the file of the fixture
    shown = cli("show", "many", "-t", "acme", "--json").json
    assert (len(shown["keys"]), shown["more"]) == (1000, True)
    assert cli("show", "e1", "--json").json["more"] is False
    assert "more than 1,000 keys" in cli("show", "many", "-t", "acme").text


@pytest.mark.parametrize(
    "command", [("show", "nope"), ("get", "nope"), ("rm-tenant", "nope", "-y")]
)
def test_what_is_not_there_is_exit_code_1(cli: Callable[..., Any], command: tuple[str]) -> None:
    answer = cli(*command, "--json")
    assert answer.code == 1
    assert answer.json["error"]["kind"] == "NotFound"


def test_an_execution_whose_id_holds_a_colon(cli: Callable[..., Any], url: str) -> None:
    with sync.open_store(url, tenant="acme") as acme:
        thread = acme.execution("thread:7")
        thread.save(thread.snapshot())
        thread.set("k", b"value")
    shown = cli("show", "thread:7", "--json").json
    assert shown["snapshot"]["execution_id"] == "thread:7"
    assert shown["keys"][0]["size"] == 5
    listed = cli("snapshots", "acme", "--json").json["snapshots"]
    assert "thread:7" in [row["execution"] for row in listed]
    keys = cli("keys", "thread:7", "-t", "acme", "--json").json["keys"]
    assert [entry["key"] for entry in keys] == ["k"]
    answer = cli("rm-execution", "thread:7", "-y", "--json").json
    assert (answer["snapshots"], answer["keys"], answer["owners"]) == (1, 1, 1)
    assert cli("show", "thread:7", "--json").code == 1


def test_an_execution_of_several_tenants_takes_a_tenant(cli: Callable[..., Any], url: str) -> None:
    with sync.open_store(url, tenant="globex") as globex:
        globex.execution("e1").save(globex.snapshot("e1"))
    for command in ("show", "rm-execution"):
        answer = cli(command, "e1", "--json")
        assert (answer.code, answer.json["error"]["kind"]) == (2, "AmbiguousExecution")
        message = answer.json["error"]["message"]
        assert "'acme' and 'globex': pass -t TENANT" in message
        assert ("--shared-keys" in message) == (command == "rm-execution")
        assert "store." not in message
    assert cli("rm-execution", "e1", "-t", "globex", "-y", "--json").json["owners"] == 1
    assert cli("show", "e1", "--json").json["tenant"] == "acme"


def test_keys_of_no_tenant_are_removed_of_an_execution_of_several(
    cli: Callable[..., Any], url: str
) -> None:
    with sync.open_store(url) as store:
        store.tenant("globex").execution("e1").save(store.tenant("globex").snapshot("e1"))
        for key in ("a", "b"):
            store.execution("e1").set(key, b"value")
    command = ("rm-execution", "e1", "--shared-keys", "--json")
    assert cli(*command, "--dry-run").json["keys"] == 2
    assert cli(*command).code == 2  # no one to ask
    answer = cli(*command, "--yes").json
    assert (answer["snapshots"], answer["keys"], answer["owners"]) == (0, 2, 0)
    for tenant, keys in (("acme", 1), ("globex", 0)):
        assert len(cli("show", "e1", "-t", tenant, "--json").json["keys"]) == keys
    answer = cli(*command, "--yes")
    assert (answer.code, answer.json["error"]["kind"]) == (1, "NotFound")
    text = cli(*command, "--yes", "-t", "acme").text
    assert "leave --tenant out" in " ".join(text.split())
    for option in ("tenant=acme", "owner_index=false"):
        answer = cli(*command, "--yes", "-u", f"{url}?{option}")
        assert (answer.code, answer.json["error"]["kind"]) == (2, "UnsupportedOperation")
    assert len(cli("show", "e1", "-t", "acme", "--json").json["keys"]) == 1


@pytest.mark.parametrize("command", ["snapshots", "executions"])
def test_a_tenant_is_an_option_of_every_command_and_an_argument_of_those(
    cli: Callable[..., Any], command: str
) -> None:
    by_option = cli(command, "-t", "acme", "--json").json
    assert by_option == cli(command, "acme", "--json").json
    assert by_option == cli(command, "acme", "--tenant", "acme", "--json").json
    assert by_option["tenant"] == "acme"
    assert by_option[command]
    answer = cli(command, "acme", "-t", "globex")
    assert (answer.code, "pass one of them" in answer.text) == (2, True)


@pytest.mark.parametrize("command", ["snapshots", "rm-tenant"])
def test_a_command_that_needs_a_tenant_says_how(cli: Callable[..., Any], command: str) -> None:
    answer = cli(command)
    assert answer.code == 2
    assert "--tenant acme" in " ".join(answer.text.split())


def test_a_tenant_to_remove_may_be_an_option(cli: Callable[..., Any]) -> None:
    expected = cli("rm-tenant", "acme", "-n", "--json").json
    assert cli("rm-tenant", "-t", "acme", "-n", "--json").json == expected
    assert expected["name"] == "acme"


def test_executions_are_listed_in_pages(cli: Callable[..., Any]) -> None:
    every = cli("executions", "-t", "acme", "--json").json["executions"]
    first = cli("executions", "-t", "acme", "--limit", "1", "--json").json
    assert (first["more"], first["executions"]) == (True, every[:1])
    rest = cli("executions", "-t", "acme", "--after", every[0], "--json").json["executions"]
    assert rest == every[1:]


def test_get_tells_text_from_bytes(cli: Callable[..., Any]) -> None:
    assert cli("get", "settings", "-t", "acme", "--json").json["value"] == "{}"
    assert cli("get", "banner", "--json").json["base64"] == "AP8="


def test_set_and_get_and_rm(cli: Callable[..., Any]) -> None:
    answer = cli("set", "greeting", "hällo", "--ttl", "36h", "--json")
    assert answer.json["size"] == 6
    found = cli("get", "greeting", "--json").json
    assert (found["value"], found["version"]) == ("hällo", answer.json["version"])
    assert found["expires_at"] is not None
    assert cli("rm", "greeting", "--json").json["existed"] is True
    again = cli("rm", "greeting", "--json").json
    assert (again["deleted"], again["existed"]) == (True, False)
    assert cli("get", "greeting", "--json").code == 1


def test_set_takes_bytes_from_stdin(cli: Callable[..., Any]) -> None:
    assert cli("set", "k", "--json", stdin=b"\xff\x00").json["size"] == 2
    assert cli("get", "k", "--json").json["base64"] == "/wA="


@pytest.mark.parametrize("ttl", ["5", "-5s", "1y", "0s", "99999999d"])
def test_a_ttl_that_is_none_is_wrong_usage(cli: Callable[..., Any], ttl: str) -> None:
    assert cli("set", "k", "v", f"--ttl={ttl}").code == 2


def test_rm_execution_dry_run_removes_nothing(cli: Callable[..., Any]) -> None:
    answer = cli("rm-execution", "e1", "--dry-run", "--json").json
    assert (answer["dry_run"], answer["snapshots"], answer["keys"]) == (True, 1, 1)
    assert cli("show", "e1", "--json").code == 0


def test_rm_execution(cli: Callable[..., Any]) -> None:
    answer = cli("rm-execution", "e1", "--yes", "--json").json
    assert (answer["snapshots"], answer["keys"], answer["owners"]) == (1, 1, 1)
    assert cli("show", "e1", "--json").code == 1
    assert cli("show", "e2", "--json").code == 0


@pytest.mark.parametrize("tenant", [(), ("-t", "acme")])
def test_rm_execution_finishes_where_the_owner_record_is_left(
    cli: Callable[..., Any], url: str, tenant: tuple[str, ...]
) -> None:
    async def interrupted() -> None:
        async with open_store(url) as store:
            await store.delete_snapshot("e1")
            await store.tenant("acme").delete("exec:e1:rows")

    asyncio.run(interrupted())
    answer = cli("rm-execution", "e1", "-y", "--json", *tenant)
    assert (answer.code, answer.json["owners"]) == (0, 1)
    assert cli("rm-execution", "e1", "-y", "--json", *tenant).code == 1


def test_rm_execution_without_owner_records_asks_for_the_tenant(
    cli: Callable[..., Any], url: str
) -> None:
    apart = ("-u", f"{url}?owner_index=false", "-y", "--json")
    answer = cli("rm-execution", "e1", *apart)
    assert answer.code == 2
    assert "--tenant" in answer.json["error"]["message"]
    assert cli("rm-execution", "e1", "-t", "acme", *apart).json["snapshots"] == 1


def test_rm_tenant(cli: Callable[..., Any]) -> None:
    assert cli("rm-tenant", "acme", "-n", "--json").json["keys"] == 4
    answer = cli("rm-tenant", "acme", "-y", "--json").json
    assert (answer["snapshots"], answer["keys"], answer["owners"]) == (3, 4, 3)
    assert [one["name"] for one in cli("tenants", "--json").json["tenants"]] == ["globex"]


def test_sweep(cli: Callable[..., Any], url: str) -> None:
    expire(url, 3)
    assert cli("sweep", "--dry-run", "--json").json["removed"] == 3
    assert cli("sweep", "--margin", "300", "-n", "--json").json["removed"] == 0
    assert cli("sweep", "--yes", "--json").json["removed"] == 3
    assert cli("sweep", "--yes", "--json").json["removed"] == 0


def test_sweep_of_orphans(cli: Callable[..., Any]) -> None:
    cli("set", "exec:lost:k", "x", "-t", "acme")
    for counted in (cli("sweep", "-n", "--json").json, cli("sweep", "-y", "--json").json):
        assert (counted["orphans"], counted["orphan_keys"]) == (1, 0)
    command = ("sweep", "--orphans", "--yes", "--json")
    assert cli(*command).json["orphan_keys"] == 0  # the key was set just now
    time.sleep(0.01)
    expected = cli("sweep", "--orphans", "--margin", "0", "-n", "--json").json
    assert (expected["orphans"], expected["orphan_keys"]) == (1, 1)
    assert (
        "1 key of executions without a snapshot"
        in cli("sweep", "--orphans", "--margin", "0", "-n").text
    )
    assert cli(*command, "--margin", "7d").json["orphan_keys"] == 0
    assert cli(*command, "--margin", "0s").json["orphan_keys"] == 1
    assert cli(*command, "--margin", "0").json["orphans"] == 0
    assert cli("keys", "e1", "-t", "acme", "--json").json["keys"]


@pytest.mark.parametrize("command", [("rm-tenant", "acme"), ("rm-execution", "e1"), ("sweep",)])
def test_nothing_is_removed_unasked_where_no_one_can_be_asked(
    cli: Callable[..., Any], url: str, command: tuple[str]
) -> None:
    expire(url, 1)
    before = cli("tenants", "--json").json
    answer = cli(*command, "--json")
    assert answer.code == 2
    assert answer.json["error"]["kind"] == "NotSure"
    assert cli("tenants", "--json").json == before


def test_lifecycle_of_a_file(cli: Callable[..., Any]) -> None:
    answer = cli("lifecycle", "check", "--json")
    assert (answer.code, answer.json["ok"]) == (0, True)
    assert cli("lifecycle", "show", "--json").json["needed"] == []
    assert cli("lifecycle", "apply", "--json").json["applied"] is False

"""A cloud unknown to the core: its doctor, its rules and its Terraform module."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from adapters.example import operations
from adapters.example.server import DictionaryServer, running_dictionary
from statebucket import open_store, opening
from statebucket.cli.commands import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket import LifecyclePlan, LifecycleReport

CLASSES = 11
FOREIGN = {"name": "logs", "below": ["logs/"], "after": 3}


@pytest.fixture
def server() -> Iterator[DictionaryServer]:
    with running_dictionary() as server:
        yield server


@pytest.fixture
def url(server: DictionaryServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(opening.BUILT_IN, "dict", f"{operations.__name__}:open_bucket")
    return f"dict://127.0.0.1:{server.server_address[1]}/app"


def run(url: str, *arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"], env={"STATEBUCKET_URL": url})
    return result.exit_code, json.loads(result.stdout)


def check(url: str) -> LifecycleReport:
    async def work() -> LifecycleReport:
        async with open_store(url) as store:
            return await store.check_lifecycle()

    return asyncio.run(work())


def apply(url: str, *, dry_run: bool = False) -> LifecyclePlan:
    async def work() -> LifecyclePlan:
        async with open_store(url) as store:
            return await store.apply_lifecycle(dry_run=dry_run)

    return asyncio.run(work())


def rules_of(server: DictionaryServer) -> list[dict[str, Any]]:
    assert server.rules is not None
    return server.rules


def of(findings: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    return [one for one in findings if one["check"] == check]


def test_the_doctor_says_what_the_service_does(url: str, server: DictionaryServer) -> None:
    apply(url)
    server.me = {"user": "ann", "may": ["read", "write", "administer"]}
    code, examined = run(url, "doctor", "--write")
    findings = examined["findings"]
    assert (code, examined["service"]) == (1, "dict")
    assert of(findings, "identity")[0]["message"] == "user ann"
    assert of(findings, "clock")[0]["status"] == "ok"
    assert of(findings, "conditions")[0]["status"] == "ok"
    assert of(findings, "lifecycle")[0]["status"] == "ok"
    (excess,) = [one for one in of(findings, "rights") if "administer" in one["message"]]
    assert excess["remedy"] == {
        "command": "dict grant …",
        "terraform": {"module": "example/state/dictionary", "line": "users = { function = … }"},
    }
    assert not [one for one in findings if one["status"] == "fault"]


@pytest.mark.parametrize(
    ("arguments", "line"), [((), "users = {"), (("-t", "acme"), "tenant_users = {")]
)
def test_a_missing_right_has_the_services_own_remedy(
    url: str, server: DictionaryServer, arguments: tuple[str, ...], line: str
) -> None:
    server.denied = "/objects/"
    _, examined = run(url, "doctor", *arguments)
    faults = [one for one in examined["findings"] if one["status"] == "fault"]
    rights = [one for one in faults if one["check"] == "rights"]
    assert rights
    assert all("NotYours" in one["message"] for one in rights)
    assert all(line in one["remedy"]["terraform"]["line"] for one in rights)
    assert all(one["remedy"]["terraform"]["module"] == operations.MODULE for one in rights)


def test_rules_that_may_not_be_read_have_the_services_own_remedy(
    url: str, server: DictionaryServer
) -> None:
    server.denied = "/rules"
    _, examined = run(url, "doctor")
    (finding,) = of(examined["findings"], "lifecycle")
    assert finding["status"] == "unknown"
    assert finding["remedy"] == {"command": "dict grant --reader …"}


def test_the_rules_that_are_missing_are_written_beside_others(
    url: str, server: DictionaryServer
) -> None:
    server.rules = [FOREIGN]
    report = check(url)
    assert [one.kind for one in report.findings] == ["missing"] * CLASSES
    assert str(report.findings[0].remedy) == "apply_lifecycle(dry_run=False)"
    assert not apply(url, dry_run=True).applied
    assert run(url, "lifecycle", "apply", "--yes")[1]["applied"] is True
    assert check(url).ok
    assert rules_of(server)[0] == FOREIGN
    assert len(rules_of(server)) == 1 + CLASSES
    assert not apply(url).applied


def test_what_is_written_has_the_label_that_the_rules_go_by(
    url: str, server: DictionaryServer
) -> None:
    apply(url)

    async def work() -> None:
        async with open_store(url) as store:
            await store.tenant("a").set("k", b"v", timedelta(days=3))

    asyncio.run(work())
    ((name, entry),) = server.objects.items()
    rules = [
        rule
        for rule in rules_of(server)
        if rule["label"] == entry.keep_days and name.startswith(tuple(rule["below"]))
    ]
    assert [rule["after"] for rule in rules] == [4]


def test_a_rule_that_takes_state_away_is_dangerous(url: str, server: DictionaryServer) -> None:
    apply(url)
    rules_of(server).append({"name": "cleanup", "below": [""], "after": 30})
    (finding,) = check(url).findings
    assert (finding.kind, finding.rule) == ("dangerous", "cleanup")


def test_rules_of_the_services_terraform_module_are_left_to_it(
    url: str, server: DictionaryServer
) -> None:
    apply(url)
    for rule in rules_of(server):
        rule["name"] = rule["name"].replace("statebucket-", "statebucket-tf-")
    del rules_of(server)[3:]
    before = list(rules_of(server))
    plan = apply(url)
    assert not plan.applied
    assert 'prefix      = "app"' in plan.module_input
    assert server.rules == before


def test_a_server_without_rules_says_what_to_do_instead(url: str, server: DictionaryServer) -> None:
    server.rules = None
    (finding,) = check(url).findings
    assert finding.kind == "unknown"
    assert finding.message.startswith("this server is older than its rules, and apply_lifecycle")
    assert "keep-days=1, 2, 4" in finding.message
    assert str(finding.remedy) == "update it, or run this: statebucket sweep"

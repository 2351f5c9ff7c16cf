"""``rm-tenant --by-lifecycle``: one run that writes the rule, and one that finishes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import seed
from statebucket import open_store
from support.command_line import Result, command_line
from support.fault_proxy.proxy import Answer, Callback, FaultProxy, Together, on
from support.lifecycle_places import S3

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Server

RUN = ("rm-tenant", "acme", "--by-lifecycle")


@pytest.fixture
def place(moto: Server, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A bucket with two tenants."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    place = S3(moto)
    asyncio.run(seed(place.url))
    return place


@pytest.fixture
def run(place: S3) -> Callable[..., Result]:
    return command_line(place.url)


def carry_out(place: S3) -> None:
    """What the rule does, a day later."""
    for entry in place.client.list_objects_v2(Bucket=place.bucket)["Contents"]:
        if entry["Key"].startswith("app/tenants/acme/"):
            place.client.delete_object(Bucket=place.bucket, Key=entry["Key"])


def test_it_is_run_until_it_is_done(place: S3, run: Callable[..., Any]) -> None:
    would = run(*RUN, "--dry-run", "--json").json
    assert (would["dry_run"], would["stage"], would["rule"]) == (True, "started", "")
    assert "would be written that removes tenant 'acme'" in run(*RUN, "--dry-run").text
    asked = run(*RUN, "--json")
    assert asked.code == 2
    assert "also deletes what is written to it" in asked.json["error"]["message"]
    with pytest.raises(place.client.exceptions.ClientError):
        place.rules()

    started = run(*RUN, "--yes", "--json").json
    assert started["stage"] == "started"
    after = datetime.fromisoformat(started["done_after"]) - datetime.now(UTC)
    assert timedelta(days=1) - timedelta(minutes=5) < after <= timedelta(days=2)
    (rule,) = place.rules()
    assert rule["ID"] == started["rule"]

    # It has begun: nothing is asked any more.
    again = run(*RUN)
    assert again.code == 0
    assert "A rule is removing tenant 'acme': run this again after " in again.text
    assert "Let nothing write to the tenant" in again.text
    assert run(*RUN, "--json").json["stage"] == "removing"
    for command in (("lifecycle", "check"), ("doctor",)):
        noted = " ".join(run(*command).text.split())
        assert "removes tenant 'acme' for delete_tenant since " in noted
        assert "statebucket rm-tenant acme --by-lifecycle" in noted

    carry_out(place)
    assert "would be removed" in run(*RUN, "--dry-run").text
    done = run(*RUN, "--json").json
    assert (done["stage"], done["owners"], done["rule"]) == ("done", 3, rule["ID"])
    gone = run(*RUN, "--json")
    assert (gone.code, gone.json["error"]["kind"]) == (1, "NotFound")
    assert "acme" not in run("tenants", "--json").text


def test_it_says_what_was_removed(place: S3, run: Callable[..., Any]) -> None:
    run(*RUN, "--yes")
    carry_out(place)
    said = run(*RUN).text
    assert "Removed: 3 owner records. Nothing is left of tenant 'acme'." in said


def test_where_a_record_stays_it_says_what_was_removed(place: S3, moto: Server) -> None:
    carry_out(place)
    kept = (
        b"<DeleteResult><Error><Key>app/owners/e1/acme</Key><Code>AccessDenied</Code>"
        b"<Message>It is kept.</Message></Error></DeleteResult>"
    )
    with FaultProxy(moto.host, moto.port) as proxy:
        answer = Answer(200, (("Content-Type", "application/xml"),), kept)
        proxy.plan(Together((answer,), when=on("POST", contains="delete")))
        left = command_line(place.url.replace(moto.url, proxy.url))(*RUN, "--json")
    error = left.json["error"]
    assert (left.code, error["kind"], error["report"]["owners"]) == (1, "DeleteIncomplete", 2)


def test_a_tenant_that_comes_back_after_the_look_is_asked_about(place: S3, moto: Server) -> None:
    carry_out(place)
    name = "app/tenants/acme/snapshots/e9"

    def come_back(_: object) -> None:
        place.client.put_object(Bucket=place.bucket, Key=name, Body=b"{}")

    with FaultProxy(moto.host, moto.port) as proxy:
        proxy.plan(Callback(come_back, when=on("GET", contains="tenants%2Facme%2F")))
        asked = command_line(place.url.replace(moto.url, proxy.url))(*RUN, "--json")
        assert proxy.pending == ()
    assert asked.code == 2
    assert "also deletes what is written to it" in asked.json["error"]["message"]
    with pytest.raises(place.client.exceptions.ClientError):
        place.rules()


@pytest.mark.parametrize(
    "option", [("--jobs", "2"), ("--partition", "1/2"), ("--dask", "tcp://127.0.0.1:1")]
)
def test_a_rule_is_not_divided(run: Callable[..., Any], option: tuple[str, ...]) -> None:
    refused = run(*RUN, "--yes", *option)
    assert refused.code == 2
    assert "one rule" in refused.text


def test_without_rules_it_is_wrong_usage(cli: Callable[..., Any]) -> None:
    refused = cli(*RUN, "--yes", "--json")
    assert refused.code == 2
    assert "sqlite has no lifecycle rules" in refused.json["error"]["message"]


def test_where_terraform_owns_the_rules_the_input_is_printed(
    place: S3, run: Callable[..., Any]
) -> None:
    async def apply() -> None:
        async with open_store(place.url) as store:
            await store.apply_lifecycle(dry_run=False)

    asyncio.run(apply())
    place.own_by_terraform(place.rules())
    refused = run(*RUN, "--yes")
    assert refused.code == 2
    assert 'offboarded_tenants = ["acme"]' in refused.text

"""Each command on each cloud's emulator, as someone would use them one after the other."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from cli.conftest import expire, seed
from statebucket.cli.commands import app
from support.targets.azure import raw_container
from support.targets.gcs_bucket import Around
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server

SERVICES = ("sqlite", "s3", "gcs", "azure")


class Place(NamedTuple):
    """A store, and the environment that a command finds it by."""

    url: str
    environment: dict[str, str]

    def run(self, *arguments: str, code: int = 0) -> Any:
        """Runs a command with ``--json``, and reads the one document that it prints."""
        environment = {**self.environment, "STATEBUCKET_URL": self.url}
        result = CliRunner().invoke(app, [*arguments, "--json"], env=environment)
        assert result.exit_code == code, (arguments, result.output)
        return json.loads(result.stdout)


@pytest.fixture(params=SERVICES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        (tmp_path / "state.db").touch()  # as a bucket, which is there before it is looked into
        yield Place(f"sqlite:///{tmp_path}/state.db", {})
    elif request.param == "s3":
        server: Server = request.getfixturevalue("ministack")
        bucket = f"b-{uuid4().hex}"
        raw_client(server).create_bucket(Bucket=bucket)
        yield Place(f"s3://{bucket}/app?endpoint_url={server.url}&region=us-east-1", {})
    elif request.param == "gcs":
        around = Around(request.getfixturevalue("fake").url)
        where = f"endpoint_url={around.url}&anonymous=true"
        yield Place(f"gs://{around.bucket}/app?{where}", {})
        asyncio.run(around.close())
    else:
        server = request.getfixturevalue("azurite")
        with raw_container(server) as raw:
            environment = {"AZURE_STORAGE_CONNECTION_STRING": server.connection_string}
            yield Place(f"az://{raw.container_name}/app", environment)


@pytest.fixture
def seeded(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    asyncio.run(seed(place.url))
    return place


def test_an_empty_store_says_so_and_a_missing_thing_is_exit_code_1(place: Place) -> None:
    assert place.run("health")["ok"] is True
    assert place.run("tenants")["tenants"] == []
    assert place.run("snapshots", "acme")["snapshots"] == []
    assert place.run("keys")["keys"] == place.run("executions")["executions"] == []
    for command in (("show", "e1"), ("get", "k"), ("rm-tenant", "a"), ("rm-execution", "e1")):
        assert place.run(*command, code=1)["error"]["kind"] == "NotFound"
    assert place.run("sweep")["removed"] == 0
    assert place.run("rm", "k")["existed"] in {False, None}


def test_looking_setting_and_removing(seeded: Place) -> None:
    run = seeded.run
    held = {one["name"]: one for one in run("tenants")["tenants"]}
    assert {name: (one["snapshots"], one["keys"]) for name, one in held.items()} == {
        "acme": (3, 4),
        "globex": (1, 0),
    }
    assert [one["sequence_number"] for one in run("snapshots", "acme")["snapshots"]] == [0, 1, 2]
    assert run("show", "e1")["keys"][0]["key"] == "exec:e1:rows"
    (listed,) = run("keys", "e1", "-t", "acme")["keys"]
    assert (listed["key"], bool(listed["modified_at"])) == ("exec:e1:rows", True)
    assert run("executions", "-t", "acme")["executions"] == ["e0", "e1", "e2"]

    run("set", "exec:e1:more", "hello", "-t", "acme", "--ttl", "36h")
    assert run("get", "exec:e1:more", "-t", "acme")["value"] == "hello"
    assert run("get", "exec:e1:more", code=1)["error"]["message"].endswith("with --tenant")
    run("rm", "exec:e1:more", "-t", "acme")

    assert run("rm-execution", "e1", "--dry-run")["keys"] == 1
    assert run("rm-execution", "e1", code=2)["error"]["kind"] == "NotSure"
    removed = run("rm-execution", "e1", "--yes")
    assert (removed["keys"], removed["owners"]) == (1, 1)
    assert run("rm-tenant", "acme", "--dry-run")["keys"] == 3
    removed = run("rm-tenant", "acme", "--yes")
    assert (removed["keys"], removed["owners"]) == (3, 2)
    assert [one["name"] for one in run("tenants")["tenants"]] == ["globex"]


def test_sweeping(seeded: Place) -> None:
    expire(seeded.url, 2)
    assert seeded.run("sweep", "--dry-run", "--margin", "300")["removed"] == 0
    assert seeded.run("sweep", "-n")["removed"] == 2
    assert seeded.run("sweep", code=2)["error"]["kind"] == "NotSure"
    assert seeded.run("sweep", "-y", "-t", "acme")["removed"] == 2
    assert seeded.run("sweep", "-y")["removed"] == 0


def test_doctor_and_lifecycle(place: Place) -> None:
    service = place.run("health")["service"]
    fit = service == "sqlite"
    examined = place.run("doctor", "--write", code=0 if fit else 1)
    faults = [one for one in examined["findings"] if one["status"] == "fault"]
    if service == "gcs":  # fake-gcs-server ignores a delete's condition
        assert [one["check"] for one in faults] == ["conditions"]
        assert "deleting an object at an old version is not refused" in faults[0]["message"]
    else:
        assert not faults
    assert all(one["remedy"] for one in examined["findings"] if one["status"] == "warning")
    checks = {one["check"] for one in examined["findings"]}
    assert checks >= {"reach", "rights", "lifecycle", "latency"}
    if not fit:
        assert checks >= {"identity", "versions", "clock"}

    seen = service in {"s3", "gcs"}
    place.run("lifecycle", "check", code=0 if fit else 1)
    shown = place.run("lifecycle", "show")
    assert (bool(shown["needed"]), shown["found"]) == (not fit, [] if seen else None)
    # What cannot be written from here is not said to be done.
    assert place.run("lifecycle", "apply", "-y", code=0 if seen or fit else 1)["applied"] is seen
    if service != "gcs":  # fake-gcs-server keeps no rules
        place.run("lifecycle", "check", code=0 if seen or fit else 1)


def test_a_copy_to_a_file_and_back(seeded: Place, tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path}/copy.db"
    assert seeded.run("copy", seeded.url, file, "--dry-run")["copied"] == 9
    assert seeded.run("copy", seeded.url, file)["copied"] == 9
    assert seeded.run("copy", file, seeded.url)["same"] == 9
    there, here = seeded.run("tenants", "-u", file), seeded.run("tenants")
    for one, other in zip(there["tenants"], here["tenants"], strict=True):
        assert one | {"bytes": 0} == other | {"bytes": 0}  # on S3 a nonce ends each body

"""Roles of containers, instances and web identities: which requests go where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from adapters.s3.http.sources import (
    ARN,
    JSON,
    ROLE,
    ROLES_PATH,
    SECRET,
    SESSION_TOKEN,
    SOURCES,
    TOKEN_PATH,
    body,
    container,
    instance,
    keys_of,
    machine,
    of_container,
    of_instance,
    of_sts,
    opened,
    pod,
    port_of,
    web_identity,
)
from support.fault_proxy.messages import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import FaultProxy


@pytest.mark.asyncio
async def test_a_container_of_ecs(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container(monkeypatch, service, tmp_path)
    service.always(of_container("K1"))
    async with opened(bucket) as store:
        assert [await store.get(key) for key in "ab"] == [None, None]
    assert keys_of(bucket) == ["K1"] * 2
    assert bucket.requests[0].header("x-amz-security-token") == f"{SECRET}-token"
    (asked,) = service.requests
    assert (asked.method, asked.target) == ("GET", "/v2/credentials?id=a-1")
    assert asked.header("authorization") == f"Basic {SECRET}"


@pytest.mark.asyncio
async def test_the_path_that_ecs_gives_is_its_agents(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statebucket_s3.http.containers._ECS", service.url)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/a-1")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/other")
    service.always(of_container("K1"))
    async with opened(bucket) as store:
        await store.get("a")
    assert keys_of(bucket) == ["K1"]
    (asked,) = service.requests
    assert (asked.target, asked.header("authorization")) == ("/v2/credentials/a-1", None)


@pytest.mark.asyncio
async def test_a_pods_token_is_read_at_each_renewal(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod(monkeypatch, service, tmp_path)
    service.always(of_container("K1", 5))
    async with opened(bucket) as store:
        await store.get("a")
        (tmp_path / "pod-token").write_text("another\n")
        await store.get("a")
    said = [request.header("authorization") for request in service.requests]
    assert said == [SECRET, "another"]


@pytest.mark.asyncio
async def test_an_instance(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, service, tmp_path)
    service.always(of_instance("K1"))
    async with opened(bucket) as store:
        for key in "ab":
            await store.get(key)
    assert keys_of(bucket) == ["K1"] * 2
    token, roles, found = service.requests
    assert (token.method, token.target) == ("PUT", TOKEN_PATH)
    assert token.header("x-aws-ec2-metadata-token-ttl-seconds") == "21600"
    assert [(one.method, one.target) for one in (roles, found)] == [
        ("GET", ROLES_PATH),
        ("GET", ROLES_PATH + ROLE),
    ]
    sent = {one.header("x-aws-ec2-metadata-token") for one in (roles, found)}
    assert sent == {SESSION_TOKEN}
    assert token.connection == found.connection


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [-60, 30])
async def test_a_key_that_an_instance_should_have_renewed_is_used_for_a_while(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    seconds: float,
) -> None:
    machine(monkeypatch, service, tmp_path)
    service.always(of_instance("K1", seconds))
    async with opened(bucket) as store:
        for _ in range(3):
            await store.get("a")
    assert keys_of(bucket) == ["K1"] * 3
    assert service.count() == 3


@pytest.mark.asyncio
async def test_the_first_of_several_roles_is_the_instances(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, service, tmp_path)
    service.always(instance(Reply(200, JSON, body("K1")), Reply(200, (), f"{ROLE}\nx".encode())))
    async with opened(bucket) as store:
        await store.get("a")
    assert keys_of(bucket) == ["K1"]


@pytest.mark.asyncio
@pytest.mark.parametrize("session", [None, "app=1"])
async def test_a_web_identity(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    session: str | None,
) -> None:
    web_identity(monkeypatch, service, tmp_path)
    if session is not None:
        monkeypatch.setenv("AWS_ROLE_SESSION_NAME", session)
    service.always(of_sts("K1", 5))
    async with opened(bucket) as store:
        await store.get("a")
        (tmp_path / "token").write_text("another\n")
        await store.get("a")
    assert keys_of(bucket) == ["K1"] * 2
    first, second = service.requests
    assert (first.method, first.target) == ("POST", "/")
    assert first.header("authorization") is None
    form = parse_qs(first.body.decode())
    (name,) = form.pop("RoleSessionName")
    assert name == session if session else name.startswith("statebucket-")
    assert form == {
        "Action": ["AssumeRoleWithWebIdentity"],
        "Version": ["2011-06-15"],
        "RoleArn": [ARN],
        "WebIdentityToken": [f"{SECRET}.jwt"],
    }
    assert parse_qs(second.body.decode())["WebIdentityToken"] == ["another"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("container", "the container's role"),
        ("instance", "the instance's role"),
        ("web identity", "a web identity's role"),
    ],
)
async def test_the_doctor_says_where_the_keys_come_from(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    origin: str,
) -> None:
    SOURCES[name].environment(monkeypatch, service, tmp_path)
    service.always(SOURCES[name].granted("K1"))
    store: Any = port_of(bucket)
    (found,) = [one for one in await store.examine("") if one.check == "identity"]
    assert found.message.endswith(f"the keys are of {origin}")

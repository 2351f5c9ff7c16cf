"""Which settings of key services the environment may have, and which are refused."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from adapters.s3.http.sources import (
    SECRET,
    SOURCES,
    container,
    keys_of,
    machine,
    moment,
    opened,
    pod,
    port_of,
    web_identity,
)
from statebucket import errors
from statebucket_s3.http.containers import ContainerRole
from statebucket_s3.http.options import HTTPOptions
from statebucket_s3.http.settings import read_settings
from support.error_texts import texts
from support.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import FaultProxy


pytestmark = pytest.mark.asyncio

NONE, AWAY = errors.InvalidCredentials, errors.Unavailable


@pytest.mark.parametrize(
    ("vendor", "kind"), [("Amazon EC2\n", AWAY), ("QEMU\n", NONE), (None, NONE)]
)
async def test_where_no_metadata_service_is_to_be_expected_there_are_no_credentials(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    vendor: str | None,
    kind: type[Exception],
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    module = "statebucket_s3.http.instances"
    monkeypatch.setattr(f"{module}._IPV4", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(f"{module}._VENDOR", str(tmp_path / "sys_vendor"))
    monkeypatch.setattr(f"{module}._HYPERVISOR", str(tmp_path / "uuid"))
    if vendor is not None:
        (tmp_path / "sys_vendor").write_text(vendor)
    with pytest.raises(kind, match="cannot be reached") as caught:
        await port_of(bucket).get("a")
    assert type(caught.value) is kind
    assert service.count() == 0


async def test_the_metadata_service_can_be_left_out(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "True")
    with pytest.raises(NONE, match="AWS_EC2_METADATA_DISABLED"):
        await port_of(bucket).get("a")
    assert service.count() == 0


@pytest.mark.parametrize("mode", ["IPv6", "ipv4", "another", "by another variable"])
async def test_the_metadata_service_over_ipv6(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    six = mode in {"IPv6", "by another variable"}
    module = "statebucket_s3.http.instances"
    for name, served in (("_IPV6", six), ("_IPV4", not six)):
        url = service.url if served else "http://127.0.0.1:1"
        monkeypatch.setattr(f"{module}.{name}", url)
    if mode == "by another variable":
        monkeypatch.setenv("AWS_IMDS_USE_IPV6", "true")
    else:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", mode)
    service.always(SOURCES["instance"].granted("K1"))
    if mode == "another":
        with pytest.raises(errors.InvalidArgument, match="ENDPOINT_MODE must be IPv4 or IPv6"):
            await port_of(bucket).get("a")
    else:
        await port_of(bucket).get("a")
        assert keys_of(bucket) == ["K1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://credentials.example/x",
        "http://169.254.170.3/x",
        "http://10.0.0.1/x",
        "http://[fd00:ec2::24]/x",
        "ftp://127.0.0.1/x",
        "/x",
        "http://",
        "http://[::1",
        "http://user@127.0.0.1/x",
        "http://127.0.0.1.example/x",
    ],
)
async def test_a_containers_token_goes_to_no_other_machine_in_clear_text(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    url: str,
) -> None:
    container(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
    with pytest.raises(errors.InvalidArgument, match="AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        await port_of(bucket).get("a")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/x",
        "http://127.9.9.9:1/x",
        "http://[::1]:1/x",
        "https://127.0.0.1:1/x",
        "https://credentials.invalid/x",
    ],
)
async def test_where_a_containers_keys_may_come_from(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    url: str,
) -> None:
    container(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
    monkeypatch.delenv("http_proxy")
    with pytest.raises(AWAY, match="cannot be reached"):
        await port_of(bucket).get("a")


@pytest.mark.parametrize(
    ("name", "value", "kind", "words"),
    [
        ("AWS_ROLE_ARN", None, NONE, "requires AWS_ROLE_ARN"),
        ("AWS_ROLE_SESSION_NAME", "a b", errors.InvalidArgument, "AWS_ROLE_SESSION_NAME"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "x", errors.InvalidArgument, "regional or legacy"),
        ("AWS_ENDPOINT_URL_STS", "http://sts.example", errors.InvalidArgument, "clear text"),
        ("AWS_ENDPOINT_URL_STS", "sts", errors.InvalidArgument, "STS"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere", NONE, "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ],
)
async def test_what_a_web_identity_may_not_be(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    name: str,
    value: str | None,
    kind: type[errors.StateBucketError],
    words: str,
) -> None:
    web_identity(monkeypatch, service, tmp_path)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(kind, match=words) as caught:
        await port_of(bucket).get("a")
    assert SECRET not in "".join(texts(caught.value))
    assert service.count() == 0


async def test_a_token_that_no_header_holds_is_not_sent_and_not_shown(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod(monkeypatch, service, tmp_path)
    for content in (b"hunter2\r\nx: y", b"hunter2\xff", None):
        path = tmp_path / "pod-token"
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(NONE, match="AWS_CONTAINER_AUTHORIZATION_TOKEN") as caught:
            await port_of(bucket).get("a")
        assert SECRET not in "".join(texts(caught.value))
    assert service.count() == 0


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
async def test_a_timeout_is_a_number_of_seconds(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str,
) -> None:
    machine(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", text)
    with pytest.raises(errors.InvalidArgument, match="AWS_METADATA_SERVICE_TIMEOUT"):
        await port_of(bucket).get("a")


@pytest.mark.parametrize("url", ["http://metadata.example", "http://[fd00:ec2::254"])
async def test_the_metadata_service_is_on_the_machines_own_link(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    url: str,
) -> None:
    machine(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    with pytest.raises(errors.InvalidArgument, match="AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        await port_of(bucket).get("a")


@pytest.mark.parametrize(
    "url",
    ["http://169.254.170.2/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/x"],
)
async def test_the_agents_of_ecs_and_eks_are_asked_in_clear_text(
    service: FaultProxy, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
    assert ContainerRole(read_settings(HTTPOptions()), 1.0).name == "the container's role"
    assert service.count() == 0


async def test_no_proxy_stands_before_an_agent(
    service: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/a-1")
    monkeypatch.setenv("http_proxy", service.url)
    role = ContainerRole(read_settings(HTTPOptions()), 0.3)
    with pytest.raises(errors.StateBucketError):  # there is no such agent here
        await asyncio.to_thread(role.load)
    assert service.count() == 0


@pytest.mark.usefixtures("service")
async def test_keys_in_the_environment_that_end_are_read_again(
    bucket: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statebucket_s3.http.credentials._SHARE", 1.0)  # due at once

    def put(key: str, seconds: float) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", moment(seconds))

    put("K1", 60)
    async with opened(bucket) as store:
        await store.get("a")
        put("K2", 3600)
        began = time.monotonic()
        while keys_of(bucket)[-1] == "K1":
            await store.get("a")
            await asyncio.sleep(0.01)
            assert time.monotonic() - began < 60
    put("K3", -1)
    async with opened(bucket) as store:
        with pytest.raises(NONE, match=r"expired at .* \(AWS_CREDENTIAL_EXPIRATION\)"):
            await store.get("a")
        put("K4", 3600)
        await store.get("a")
    assert keys_of(bucket)[-1] == "K4"


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_SECRET_ACCESS_KEY", "", "must be set together"),
        ("AWS_CREDENTIAL_EXPIRATION", "soon", "is not a date and time with a time zone: 'soon'"),
        ("AWS_CREDENTIAL_EXPIRATION", "2099-01-01T00:00:00", "with a time zone"),
    ],
)
async def test_keys_in_the_environment_that_are_none(
    bucket: FaultProxy, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "K1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv(name, value)
    with pytest.raises(NONE, match=words) as caught:
        await port_of(bucket).get("a")
    assert SECRET not in "".join(texts(caught.value))
    monkeypatch.delenv(name)
    if name == "AWS_CREDENTIAL_EXPIRATION":
        await port_of(bucket).get("a")

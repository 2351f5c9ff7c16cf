"""Where the engines send requests: only to the endpoint, over TLS and through a proxy, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from statebucket import errors, open_store
from support.fault_proxy.proxy import Answer, FaultProxy
from support.fault_proxy.tunnel import Tunnel
from support.targets.s3 import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server

pytestmark = pytest.mark.asyncio

Certificate = Literal["untrusted", "another host"]
engines = pytest.mark.parametrize("engine_name", ["sdk", "http"])


@pytest.fixture
def certificate() -> Certificate:
    return "untrusted"


@pytest.fixture
def endpoint(moto: Server, certificate: Certificate) -> Iterator[FaultProxy]:
    """moto behind TLS."""
    with FaultProxy(moto.host, moto.port, tls=certificate) as proxy:
        yield proxy


@pytest.fixture
def bundle(endpoint: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the issuer of the endpoint's certificate one that is trusted."""
    assert endpoint.ca_pem is not None
    path = tmp_path / "issuer.pem"
    path.write_bytes(endpoint.ca_pem)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))


@pytest.fixture(params=[False, True], ids=["direct", "through a proxy"])
def tunnel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The targets that a proxy was asked for, where there is one."""
    if not request.param:
        yield []
        return
    with Tunnel() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        yield proxy.targets


def url_of(endpoint: FaultProxy, engine_name: str) -> str:
    where = endpoint.url.replace("http://", "https://")
    return f"s3://{BUCKET}/p?endpoint_url={where}&region=us-east-1&engine={engine_name}"


@engines
@pytest.mark.usefixtures("bundle")
async def test_a_trusted_issuer_and_the_right_host_are_served(
    endpoint: FaultProxy, tunnel: list[str], engine_name: str
) -> None:
    async with open_store(url_of(endpoint, engine_name)) as store:
        await store.set("k", b"v")
        assert await store.get("k") == b"v"
    assert endpoint.count() == 2
    assert set(tunnel) <= {f"127.0.0.1:{endpoint.port}"}


@engines
async def test_an_untrusted_issuer_gets_no_request(
    endpoint: FaultProxy, tunnel: list[str], engine_name: str
) -> None:
    async with open_store(url_of(endpoint, engine_name)) as store:
        with pytest.raises(errors.UntrustedCertificate) as caught:
            await store.set("k", b"v")
    assert caught.value.outcome == "none"
    assert endpoint.count() == 0
    assert set(tunnel) <= {f"127.0.0.1:{endpoint.port}"}


@engines
@pytest.mark.parametrize("certificate", ["another host"])
@pytest.mark.usefixtures("bundle")
async def test_a_certificate_for_another_host_gets_no_request(
    endpoint: FaultProxy, tunnel: list[str], engine_name: str
) -> None:
    async with open_store(url_of(endpoint, engine_name)) as store:
        with pytest.raises(errors.UntrustedCertificate) as caught:
            await store.set("k", b"v")
    assert caught.value.outcome == "none"
    assert endpoint.count() == 0
    assert set(tunnel) <= {f"127.0.0.1:{endpoint.port}"}


@engines
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    moto: Server, monkeypatch: pytest.MonkeyPatch, engine_name: str, status: int
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "test-session-token")  # which no other host must get
    with FaultProxy(moto.host, moto.port) as proxy, FaultProxy(moto.host, moto.port) as other:
        proxy.always(Answer(status, (("Location", f"{other.url}/elsewhere"),)))
        where = f"endpoint_url={proxy.url}&region=us-east-1&engine={engine_name}"
        async with open_store(f"s3://{BUCKET}/p?{where}") as store:
            for call in (store.get("k"), store.set("k", b"v"), store.health_check()):
                with pytest.raises(errors.RequestRejected):
                    await call
        assert other.requests == []

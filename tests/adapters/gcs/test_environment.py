"""Proxies, passwords, certificates and endpoints that the environment names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials, Credentials

from statebucket.errors import (
    InvalidArgument,
    InvalidCredentials,
    RequestRejected,
    StateBucketError,
    Unavailable,
)
from support.at_exit import assert_works_at_exit
from support.error_texts import texts
from support.fault_proxy.proxy import Answer, DropBeforeSend, FaultProxy, on
from support.servers.ports import free_port
from support.targets.gcs_bucket import opened as open_sdk
from support.targets.gcs_bucket import with_credentials, write
from support.targets.gcs_key import use_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.fault_proxy.proxy import Fault
    from support.servers import Server
    from support.targets.gcs_bucket import Around, Opened

PASSWORD = "hunter2"
ELSEWHERE = "http://192.0.2.1:9"  # a documentation address: nothing answers there
TOKEN = Answer(
    200,
    (("Content-Type", "application/json"),),
    b'{"access_token": "t0ken", "expires_in": 3600}',
    when=on(contains="/token"),
)


class Valid(Credentials):
    """Credentials with a token."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = "t0ken"

    def refresh(self, _request: object) -> None:
        raise AssertionError


@pytest.fixture
def listener() -> Iterator[FaultProxy]:
    """A server that answers as a test says, and leads nowhere."""
    with FaultProxy("127.0.0.1", free_port()) as proxy:
        yield proxy


@pytest.fixture
def _netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"default login me password {PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


async def failure(call: Any) -> StateBucketError:
    with pytest.raises(StateBucketError) as caught:
        await call
    return caught.value


def test_credentials_are_not_sent_in_clear_text(opened: Opened) -> None:
    with pytest.raises(InvalidArgument, match=r"192\.0\.2\.1.*https://.*insecure_endpoint=true"):
        opened(ELSEWHERE, "bucket", anonymous="false")
    opened(ELSEWHERE, "bucket")  # without credentials
    opened(ELSEWHERE, "bucket", anonymous="false", insecure_endpoint="true")
    opened("http://localhost:1", "bucket", anonymous="false")


def test_nor_are_those_of_the_caller(opened: Opened, engine: str) -> None:
    own = with_credentials(Valid(), ELSEWHERE, engine)
    with pytest.raises(InvalidArgument, match="clear text"):
        opened("", "bucket", **own)
    opened("", "bucket", insecure_endpoint=True, **own)


@pytest.mark.parametrize("engine", ["sdk"])
def test_a_callers_client_without_credentials_may_use_plain_http(
    opened: Opened, engine: str
) -> None:
    own = with_credentials(AnonymousCredentials(), ELSEWHERE, engine)  # type: ignore[no-untyped-call]
    opened("", "bucket", **own)


@pytest.mark.asyncio
async def test_nor_are_they_to_an_endpoint_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: FaultProxy, opened: Opened
) -> None:
    use_key(monkeypatch, tmp_path, f"{listener.url}/token")
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", ELSEWHERE)

    async def attempt() -> None:
        bucket = opened("", "bucket", endpoint_url=None, anonymous="false")
        await bucket.put(write("a"), None)

    error = await failure(attempt())
    assert type(error) is InvalidArgument
    assert listener.requests == []  # not even a token was asked for


def test_an_emulator_named_by_the_environment_gets_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
    opened: Opened,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", ELSEWHERE)
    opened("", "bucket", endpoint_url=None, anonymous="false")


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [302, 307])
async def test_what_is_exchanged_for_a_token_follows_no_redirect(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    listener: FaultProxy,
    opened: Opened,
    kind: int,
) -> None:
    with FaultProxy("127.0.0.1", free_port()) as elsewhere:
        elsewhere.always(TOKEN)
        listener.always(Answer(kind, (("Location", f"{elsewhere.url}/token"),)))
        use_key(monkeypatch, tmp_path, f"{listener.url}/token")
        bucket = opened(elsewhere.url, "bucket", anonymous="false")
        error = await failure(bucket.get("a"))
        assert isinstance(error, InvalidCredentials | Unavailable)
        assert elsewhere.requests == []
    assert len(listener.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "value", [f"http://me:{PASSWORD}@host:port", f"http://me:{PASSWORD}@", f"x://me:{PASSWORD}@h"]
)
async def test_a_proxy_that_is_not_one_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, value: str, opened: Opened
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    error = await failure(opened("https://storage.invalid", "bucket").put(write("a"), None))
    assert type(error) is InvalidArgument
    assert error.outcome == "none"
    assert "https_proxy" in error.message
    assert PASSWORD not in "".join(texts(error))


@pytest.mark.asyncio
async def test_a_proxy_may_be_named_without_a_scheme(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy, opened: Opened
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"me:{PASSWORD}@127.0.0.1:{listener.port}")
    listener.always(Answer(407))
    error = await failure(opened("https://storage.invalid", "bucket").put(write("a"), None))
    assert type(error) is RequestRejected  # the next try would meet the same answer
    assert "407" in error.message
    assert PASSWORD not in "".join(texts(error))
    (request,) = listener.requests
    assert request.method == "CONNECT"
    assert request.header("Proxy-Authorization") == "Basic bWU6aHVudGVyMg=="


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [Answer(502), DropBeforeSend(), None], ids=repr)
async def test_what_a_proxy_did_not_pass_on_was_not_written(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy, fault: Fault | None, opened: Opened
) -> None:
    port = free_port() if fault is None else listener.port
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{port}")
    if fault is not None:
        listener.always(fault)
    error = await failure(opened("https://storage.invalid", "bucket").put(write("a"), None))
    assert type(error) is Unavailable
    assert error.outcome == "none"
    assert "storage.invalid" in error.message
    assert "cannot be reached" in error.message
    assert PASSWORD not in "".join(texts(error))


@pytest.mark.asyncio
async def test_a_tls_handshake_that_fails_wrote_nothing(proxy: FaultProxy, opened: Opened) -> None:
    url = proxy.url.replace("http://", "https://")
    error = await failure(opened(url, "bucket").put(write("a"), None))
    assert type(error) is Unavailable
    assert error.outcome == "none"


@pytest.mark.asyncio
async def test_a_missing_file_of_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    error = await failure(opened("https://storage.invalid", "bucket").put(write("a"), None))
    assert type(error) is InvalidArgument
    assert "REQUESTS_CA_BUNDLE" in error.message
    assert error.outcome == "none"


@pytest.mark.asyncio
@pytest.mark.usefixtures("_netrc")
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "HTTP_PROXY", "NO_PROXY"])
async def test_the_netrc_file_is_never_read(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    listener: FaultProxy,
    variable: str,
    opened: Opened,
) -> None:
    (tmp_path / "ca.pem").touch()
    values = {"REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"), "HTTP_PROXY": listener.url}
    monkeypatch.setenv(variable, values.get(variable, "x"))
    use_key(monkeypatch, tmp_path, f"{listener.url}/token")
    listener.plan(TOKEN, Answer(200, body=b'{"generation":"1","name":"a","size":"2"}'))
    await opened(listener.url, "bucket", anonymous="false").put(write("a"), None)
    token, request = listener.requests
    assert token.header("Authorization") is None
    assert request.header("Authorization") == "Bearer t0ken"


@pytest.mark.asyncio
@pytest.mark.usefixtures("_netrc")
async def test_the_netrc_file_takes_no_token_of_the_callers(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy, opened: Opened, engine: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "x")
    listener.always(Answer(404))
    own = with_credentials(Valid(), listener.url, engine)
    await failure(opened("", "bucket", **own).put(write("a"), None))
    assert listener.requests[0].header("Authorization") == "Bearer t0ken"


@pytest.mark.asyncio
async def test_no_token_of_a_metadata_server_comes_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: FaultProxy
) -> None:
    """A proxy would receive it in clear text, or give that of its own machine."""
    look_up = socket.getaddrinfo

    def look_up_here(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host == "metadata.google.internal":
            host, port = "127.0.0.1", listener.port
        return look_up(host, port, *rest, **more)

    google = (("Content-Type", "application/json"), ("Metadata-Flavor", "Google"))
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))  # no login
    account = b'{"access_token": "t0ken", "expires_in": 3600, "email": "a@b", "scopes": []}'
    listener.always(Answer(200, google, account))
    with FaultProxy("127.0.0.1", free_port()) as proxy:
        proxy.always(Answer(200, google, b"{}"))  # to google-auth's question where it runs
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        bucket = open_sdk(f"http://127.0.0.1:{free_port()}", "b", anonymous="false", project="p")
        error = await failure(bucket.put(write("a"), None))  # with the token, to where no one is
        assert not any("/token" in request.target for request in proxy.requests)
    assert error.message.startswith("Cloud Storage at http://127.0.0.1")
    assert any("/token" in request.target for request in listener.requests)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_calls_work_while_the_interpreter_shuts_down(
    fake: Server, around: Around, engine: str, *, warm: bool
) -> None:
    url = f"gs://{around.bucket}?endpoint_url={fake.url}&anonymous=true&engine={engine}"
    assert_works_at_exit(url, warm=warm)

"""Credentials that need google-auth: keys, logins, federation, and the caller's own."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.oauth2 import credentials as logins
from rich.pretty import pretty_repr

from adapters.gcs.http.conftest import tokens_of
from statebucket import errors
from statebucket.port.bucket import Location
from statebucket_gcs.http.options import HTTPOptions
from support.error_texts import texts
from support.fault_proxy.proxy import Answer, BlackHole, DropReply, FaultProxy
from support.servers.ports import free_port
from support.targets.gcs_bucket import with_credentials, write
from support.targets.gcs_key import use_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import Fault
    from support.targets.gcs_bucket import Around, Opened

pytestmark = pytest.mark.asyncio

JSON = (("Content-Type", "application/json"),)
SECRET = "hunter2"


def granted(value: str, lasts: int = 3600) -> Answer:
    said = {"access_token": value, "expires_in": lasts, "token_type": "Bearer"}
    said["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
    return Answer(200, JSON, json.dumps(said).encode())


@pytest.fixture
def service() -> Iterator[FaultProxy]:
    """The token service."""
    with FaultProxy("127.0.0.1", free_port()) as server:
        yield server


@pytest.fixture
def own(proxy: FaultProxy, around: Around, opened: Opened) -> GCSBucket:
    """A bucket that needs a token."""
    return opened(proxy.url, around.bucket, anonymous="false", deadline=15.0)


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: FaultProxy) -> None:
    use_key(monkeypatch, tmp_path, f"{service.url}/token")


def login(folder: Path, **more: str) -> None:
    """What ``gcloud auth application-default login`` leaves."""
    folder.mkdir()
    held = {"type": "authorized_user", "client_id": "c", "client_secret": SECRET}
    held |= {"refresh_token": SECRET} | more
    (folder / "application_default_credentials.json").write_text(json.dumps(held))


async def failure(call: Any) -> errors.StateBucketError:
    with pytest.raises(errors.StateBucketError) as caught:
        await call
    return caught.value


@pytest.mark.usefixtures("_key")
async def test_a_service_accounts_key_signs_for_a_token(
    own: GCSBucket, service: FaultProxy, proxy: FaultProxy
) -> None:
    service.plan(granted("t1", lasts=200))
    service.always(granted("t2"))
    await own.put(write("a"), None)
    for _ in range(2000):
        await own.get("a")
        await asyncio.sleep(0.01)  # the second token is asked for beside the calls
        if tokens_of(proxy)[-1] == "Bearer t2":
            break
    assert tokens_of(proxy)[0] == "Bearer t1"
    assert len(service.requests) == 2
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in (
        service.requests[0].body
    )


async def test_a_login_of_gclouds_is_found_where_gcloud_leaves_it(
    own: GCSBucket,
    service: FaultProxy,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(logins, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{service.url}/token")
    login(tmp_path / "gcloud", quota_project_id="billed")
    service.always(granted("t1"))
    await own.put(write("a"), None)
    assert tokens_of(proxy) == ["Bearer t1"]
    assert proxy.requests[0].header("x-goog-user-project") == "billed"
    assert f"refresh_token={SECRET}".encode() in service.requests[0].body


async def test_a_federated_identity_is_exchanged_for_a_token(
    own: GCSBucket,
    service: FaultProxy,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "subject").write_text(SECRET)
    pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/v"
    file = tmp_path / "federation.json"
    held = {
        "type": "external_account",
        "audience": pool,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{service.url}/v1/token",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    file.write_text(json.dumps(held))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    service.always(granted("t1"))
    await own.put(write("a"), None)
    assert tokens_of(proxy) == ["Bearer t1"]
    assert f"subject_token={SECRET}".encode() in service.requests[0].body


FAILURES: dict[str, tuple[Fault, type[errors.StateBucketError]]] = {
    "refused": (
        Answer(400, JSON, b'{"error": "invalid_grant", "error_description": "no"}'),
        errors.InvalidCredentials,
    ),
    "403": (Answer(403, JSON, b'{"error": "forbidden"}'), errors.InvalidCredentials),
    "404": (Answer(404), errors.InvalidCredentials),
    "503": (Answer(503), errors.Unavailable),
    "a page": (Answer(200, JSON, b"<html>hunter2"), errors.InvalidCredentials),
    "no token": (Answer(200, JSON, b'{"x": "hunter2"}'), errors.InvalidCredentials),
    "a line break": (granted("hunter2\n"), errors.InvalidCredentials),
    "no reply": (DropReply(), errors.Unavailable),
    "silence": (BlackHole(), errors.Unavailable),
}


@pytest.mark.usefixtures("_key")
@pytest.mark.parametrize("name", FAILURES)
async def test_what_becomes_of_a_failure(
    own: GCSBucket, service: FaultProxy, proxy: FaultProxy, name: str
) -> None:
    fault, kind = FAILURES[name]
    service.always(fault)
    began = time.monotonic()
    error = await failure(own.put(write("a"), None))
    assert type(error) is kind, error
    assert error.outcome == "none"
    assert SECRET not in "".join(texts(error))
    assert len(service.requests) == 1  # the core tries again, not google-auth
    assert proxy.requests == []
    assert time.monotonic() - began < 14
    service.heal()
    service.always(granted("t2"))
    await own.put(write("a"), None)


async def test_no_key_goes_over_plain_http_to_another_machine(
    own: GCSBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_key(monkeypatch, tmp_path, "http://192.0.2.1:9/token")
    error = await failure(own.put(write("a"), None))
    assert type(error) is errors.InvalidArgument
    assert "clear text" in error.message
    assert "192.0.2.1" in error.message


async def test_without_google_auth_the_error_says_what_to_install(
    own: GCSBucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login(tmp_path / "gcloud")
    monkeypatch.setitem(sys.modules, "google.auth", None)
    error = await failure(own.put(write("a"), None))
    assert type(error) is errors.AdapterNotInstalled
    assert "pip install google-auth (or 'statebucket[gcs]'" in error.message
    assert proxy.requests == []


async def test_a_file_that_is_not_there_is_told(
    own: GCSBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json")
    error = await failure(own.put(write("a"), None))
    assert type(error) is errors.InvalidCredentials
    assert "/no/such/key.json" in error.message


class Expired(logins.Credentials):
    """A token of the caller's that cannot be renewed."""

    def __init__(self) -> None:
        super().__init__(SECRET)  # type: ignore[no-untyped-call]
        self.asked = 0

    def refresh(self, request: object) -> None:
        self.asked += 1
        super().refresh(request)  # type: ignore[no-untyped-call]


async def test_a_token_of_the_callers_is_sent_until_it_is_refused(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    credentials = Expired()
    bucket = opened("", around.bucket, **with_credentials(credentials, proxy.url, "http"))
    await asyncio.gather(*(bucket.put(write(f"a{n}"), None) for n in range(3)))
    assert tokens_of(proxy) == [f"Bearer {SECRET}"] * 3
    assert credentials.asked == 0
    proxy.always(Answer(401))
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is errors.InvalidCredentials
    assert credentials.asked == 1
    assert SECRET not in "".join(texts(error))


@pytest.mark.parametrize(
    "options",
    [
        {"credentials": object()},
        {"credentials": "a-token"},
        {"credentials": logins.Credentials("t"), "anonymous": True},  # type: ignore[no-untyped-call]
        {"client": object()},
        {"unknown": "x"},
    ],
)
async def test_options_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidArgument):
        HTTPOptions.of(Location("gs", "b", "/p", options, 1.0, 4))


async def test_no_repr_shows_a_token() -> None:
    credentials = logins.Credentials(SECRET)  # type: ignore[no-untyped-call]
    location = Location("gs", "b", "/p", {"credentials": credentials}, 1.0, 4)
    options = HTTPOptions.of(location)
    assert SECRET not in f"{location!r} {options!r} {pretty_repr([location, options])}"

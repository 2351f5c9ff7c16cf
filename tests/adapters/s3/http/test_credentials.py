"""Where credentials come from, and when botocore is loaded for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest
from botocore import exceptions as sdk
from botocore.credentials import RefreshableCredentials
from rich.pretty import pretty_repr

from statebucket import errors, open_store
from statebucket.port.bucket import Location
from statebucket_s3.http.options import HTTPOptions
from support.competing_processes import environ
from support.patience import happened

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.s3 import S3Target

pytestmark = pytest.mark.asyncio
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def keys_of(proxy: FaultProxy) -> list[str]:
    """The access key that signed each request."""
    said = [str(request.header("authorization")) for request in proxy.requests]
    return [text.partition("Credential=")[2].partition("/")[0] for text in said]


async def test_the_environment_needs_no_botocore(
    target: S3Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a token")
    async with target.open() as store:
        await store.get("k")
        static = target.open(access_key_id="given", secret_access_key="s")
        await static.get("k")
    assert keys_of(proxy) == ["test-access-key", "given"]
    tokens = [request.header("x-amz-security-token") for request in proxy.requests]
    assert tokens == ["a token", None]
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[default]\ncredential_process = x\n")
    with pytest.raises(
        errors.AdapterNotInstalled, match=r"credential_process .* pip install botocore"
    ):
        await target.open().get("k")


async def test_a_profile_is_read_by_botocore(
    target: S3Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text("[p]\naws_access_key_id = of-profile\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "p")
    async with target.open() as store:
        await store.get("k")
    assert keys_of(proxy) == ["of-profile"]


async def test_without_any_the_error_says_what_to_set(
    target: S3Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEYS[0])
    for _ in range(2):
        with pytest.raises(errors.InvalidCredentials, match="AWS_ACCESS_KEY_ID"):
            await target.open().get("k")
        monkeypatch.delenv(KEYS[1], raising=False)
    assert proxy.requests == []


class Session:
    """A session whose keys last as long as a test says."""

    def __init__(self) -> None:
        self.made = 0
        self.minutes = 60
        self.chain: Any = RefreshableCredentials.create_from_metadata(
            self.fresh(), refresh_using=self.fresh, method="test"
        )

    def fresh(self) -> dict[str, Any]:
        self.made += 1
        ends = datetime.now(UTC) + timedelta(minutes=self.minutes)
        return {
            "access_key": f"key-{self.made}",
            "secret_key": "s",
            "token": "t",
            "expiry_time": ends.isoformat(),
        }

    def get_credentials(self) -> Any:
        return self.chain


async def test_a_temporary_key_that_is_about_to_end_is_renewed_once(
    target: S3Target, proxy: FaultProxy
) -> None:
    session = Session()
    session.chain._expiry_time = datetime.now(UTC) + timedelta(seconds=5)
    async with target.open(session=session) as store:
        await asyncio.gather(*(store.get("k") for _ in range(4)))
        await store.get("k")
    assert keys_of(proxy) == ["key-2"] * 5
    assert session.made == 2


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_key_that_still_lasts_is_used_while_it_is_renewed_or_cannot_be(
    target: S3Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    monkeypatch.setattr("statebucket_s3.http.credentials._SHARE", 1.0)
    session = Session()
    monkeypatch.setattr("statebucket.port.renewal._PAUSE", 600.0)  # tried once in this test
    quarter = timedelta(minutes=15, seconds=30)  # from its last 15 minutes on it is renewed
    session.chain._expiry_time = datetime.now(UTC) + quarter
    hung = threading.Event()
    tries: list[float] = []

    def hanging() -> dict[str, Any]:
        tries.append(time.monotonic())
        hung.wait(10 if hangs else 0)
        raise OSError("the metadata service is away")

    async with target.open(session=session, deadline=6) as store:
        await store.get("k")
        session.chain._refresh_using = hanging
        now = time.time  # 40 seconds pass
        monkeypatch.setattr(time, "time", lambda: now() + 40)
        session.chain._expiry_time -= timedelta(seconds=40)
        try:
            await asyncio.gather(*(store.get("k") for _ in range(8)))
        finally:
            hung.set()
    assert keys_of(proxy) == ["key-1"] * 9
    await happened(lambda: tries)  # beside the calls
    assert len(tries) == 1


ANSWER: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
BUSY: Any = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
ENDED = "Credentials were refreshed, but the refreshed credentials are still expired."


class Failing:
    """A session that has keys to give, and cannot."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_credentials(self) -> Any:
        return self

    def get_frozen_credentials(self) -> Any:
        time.sleep(0.05)  # so that all who ask wait for the same one
        raise self.error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sdk.ClientError(ANSWER, "AssumeRole"), errors.InvalidCredentials),
        (sdk.ClientError(BUSY, "AssumeRole"), errors.Unavailable),
        (sdk.EndpointConnectionError(endpoint_url="https://sts"), errors.Unavailable),
        (sdk.ConnectTimeoutError(endpoint_url="https://sts"), errors.Unavailable),
        (sdk.ProfileNotFound(profile="p"), errors.InvalidCredentials),
        (RuntimeError(ENDED), errors.InvalidCredentials),
        (ValueError("Expecting value"), errors.InvalidCredentials),  # of a credential_process
        (FileNotFoundError("no such program"), errors.InvalidCredentials),
    ],
)
async def test_a_chain_that_fails_is_one_of_our_errors(
    target: S3Target, error: Exception, ours: type[errors.StateBucketError]
) -> None:
    # Only what is tried again needs a deadline that passes.
    deadline = 0.5 if ours.transient else 30
    async with target.open(session=Failing(error), deadline=deadline) as store:
        found = await asyncio.gather(store.get("a"), store.get("b"), return_exceptions=True)
    # What is tried again may be cut off in a try.
    wanted = (ours, errors.DeadlineExceeded) if ours.transient else ours
    assert all(isinstance(one, wanted) for one in found), found
    named = [str(one.object_name) for one in found if isinstance(one, errors.StateBucketError)]
    assert [name[-1] for name in named] == ["a", "b"]


HUNG = """
import asyncio, sys
from statebucket import errors, open_store
try:
    asyncio.run(open_store(sys.argv[1], deadline=0.5).get("k"))
except errors.DeadlineExceeded:
    print("done")
"""


async def test_nothing_waits_for_a_chain_that_hangs(target: S3Target, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile p]\ncredential_process = sleep 50\n")
    env = environ({"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p"})
    for name in KEYS:
        env.pop(name, None)
    begun = time.monotonic()
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", HUNG, target.url],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == "done\n"
    assert time.monotonic() - begun < 40


FORKED = """
import os, sys, threading, time
from botocore.credentials import Credentials
from statebucket.sync import open_store

parent, asked = os.getpid(), threading.Event()

class Session:
    def get_credentials(self):
        asked.set()
        if os.getpid() == parent:
            time.sleep(60)
        return Credentials("of-the-child", "s")

store = open_store(sys.argv[1], session=Session(), deadline=20)
threading.Thread(target=store.get, args=("k",), daemon=True).start()
asked.wait()
child = os.fork()
if not child:
    store.get("k")
    os._exit(0)
print(os.waitpid(child, 0)[1], flush=True)
os._exit(0)
"""


async def test_a_fork_does_not_wait_for_its_parents_thread(
    target: S3Target, proxy: FaultProxy
) -> None:
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FORKED, target.url],
        env=environ({}),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == "0\n"
    assert keys_of(proxy) == ["of-the-child"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", "hunter2\n"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2\udcff"),
        ("AWS_SESSION_TOKEN", "hunter2\n"),
        ("AWS_SESSION_TOKEN", "hunter2\udcff"),
    ],
)
async def test_what_no_header_holds_is_told_and_not_shown(
    target: S3Target,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    keywords = {"access_key_id": "k", "secret_access_key": "s"} | {name.lower()[4:]: value}
    with pytest.raises(errors.InvalidCredentials) as given:
        await target.open(**keywords).get("k")
    with pytest.raises(errors.InvalidCredentials) as found:
        await target.open().get("k")
    told = [*traceback.format_exception(given.value), *traceback.format_exception(found.value)]
    assert "hunter2" not in "".join(told)
    assert proxy.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"access_key_id": "a"},
        {"session_token": "t"},
        {"session": object()},
        {"session": aioboto3.Session()},
        {"sse_kms_key_id": "k"},
        {"unknown": "x"},
    ],
)
async def test_options_that_do_not_fit_are_refused(
    target: S3Target, options: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidArgument):
        target.open(**options)


async def test_no_secret_goes_into_a_url(target: S3Target) -> None:
    for name in ("access_key_id", "secret_access_key", "session_token"):
        with pytest.raises(errors.InvalidURL):
            open_store(f"{target.url}&{name}=x")


async def test_no_repr_shows_a_secret() -> None:
    keys = dict.fromkeys(("secret_access_key", "session_token"), "hunter2")
    location = Location("s3", "b", "/p", {"access_key_id": "k"} | keys, 1.0, 4)
    options = HTTPOptions.of(location)
    said = f"{location!r} {options!r} {pretty_repr([location, options])}"
    assert "hunter2" not in said
    assert "s3://b/p" in said

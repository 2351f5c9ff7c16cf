"""Opening ``gs://``: options, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client  # type: ignore[import-untyped]

from statebucket.errors import AdapterNotInstalled, InvalidArgument, InvalidURL, Unavailable
from statebucket.port.bucket import Bucket, Location
from statebucket_gcs import checksums, open_bucket, open_bucket_over_http
from statebucket_gcs.sdk.options import SDKOptions
from statebucket_gcs.sdk.session import connect
from support.fault_proxy.proxy import CorruptBody
from support.targets.gcs_bucket import opened as open_gcs
from support.targets.gcs_bucket import write

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server
    from support.targets.gcs_bucket import Around

KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
SECRET = "hunter2"


def location(
    host: str = "bucket", path: str = "", options: dict[str, object] | None = None
) -> Location:
    return Location("gs", host, path, options or {}, 10.0, 32)


def client() -> Any:
    return Client("p", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]


def test_a_bucket_is_opened_with_its_prefix() -> None:
    options: dict[str, object] = {"anonymous": "true", "project": "p", "kms_key_name": KEY}
    opened = open_bucket(location(path="/a/b/", options=options))
    assert opened.prefix == "a/b"
    assert isinstance(opened.bucket, Bucket)
    assert opened.bucket.name == "gcs"
    assert opened.bucket.requires_network
    limits = opened.bucket.limits
    assert limits.unique_versions
    assert limits.lists_metadata
    assert not limits.delete_requests
    assert limits.delete_batch == 100
    assert limits.write_interval == 1.0


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"anonymus": "true"}, InvalidArgument),
        ({"anonymous": SECRET}, InvalidArgument),
        ({"project": 7}, InvalidArgument),
        ({"kms_key_name": "k"}, InvalidArgument),
        ({"client": object()}, InvalidArgument),
        ({"client": client(), "anonymous": True}, InvalidArgument),
        ({"client": client(), "endpoint_url": "http://h"}, InvalidArgument),
        ({"client": client(), "project": "p"}, InvalidArgument),
        ({"endpoint_url": f"http://me:{SECRET}@host"}, InvalidURL),
        ({"endpoint_url": f"http://host/?key={SECRET}"}, InvalidURL),
        ({"endpoint_url": f"http://host:{SECRET}"}, InvalidURL),
        ({"endpoint_url": f"http://[{SECRET}"}, InvalidURL),
        ({"endpoint_url": "ftp://host"}, InvalidURL),
        ({"endpoint_url": "http://"}, InvalidURL),
        ({"endpoint_url": "127.0.0.1:80"}, InvalidURL),
    ],
)
def test_what_options_are_refused(options: dict[str, object], kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        open_bucket(location(options=options))
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"anonymus": "true"}, InvalidArgument),
        ({"anonymous": SECRET}, InvalidArgument),
        ({"kms_key_name": "k"}, InvalidArgument),
        ({"client": client()}, InvalidArgument),
        ({"credentials": SECRET}, InvalidArgument),
        ({"endpoint_url": f"http://me:{SECRET}@host"}, InvalidURL),
        ({"endpoint_url": f"http://host/?key={SECRET}"}, InvalidURL),
        ({"endpoint_url": "http://192.0.2.1"}, InvalidArgument),
        ({"endpoint_url": "https://host/a/../b"}, InvalidArgument),
    ],
)
def test_what_options_are_refused_over_http(
    options: dict[str, object], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        open_bucket_over_http(location(options=options))
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("variable", ["STORAGE_EMULATOR_HOST", "API_ENDPOINT_OVERRIDE"])
def test_an_endpoint_of_the_environment_that_is_none_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://me:{SECRET}@host")
    with pytest.raises(InvalidArgument) as caught:
        open_bucket_over_http(location())
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(("host", "path"), [("", ""), ("a b", ""), ("b", "/a//b"), ("b", "/../a")])
def test_what_urls_are_refused(host: str, path: str) -> None:
    for open_one in (open_bucket, open_bucket_over_http):
        with pytest.raises(InvalidURL):
            open_one(location(host, path))


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "UNRELATED"])
def test_the_environment_is_read_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "ca.pem").touch()
    values = {"HTTPS_PROXY": "127.0.0.1:1", "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem")}
    monkeypatch.setenv(variable, values.get(variable, "x"))
    session = connect(SDKOptions(anonymous=True), 7)._http
    assert session.trust_env is False
    proxied = variable == "HTTPS_PROXY"
    assert session.proxies == ({"all": "http://127.0.0.1:1"} if proxied else {})
    assert session.verify == (values[variable] if variable == "REQUESTS_CA_BUNDLE" else True)
    adapter = session.get_adapter("https://storage.googleapis.com/")
    assert adapter._pool_maxsize == 7
    assert adapter.max_retries.total == 0


def test_the_sdk_is_only_imported_once_a_bucket_is_opened() -> None:
    code = (
        "import sys, statebucket_gcs; "
        "sys.exit(not {'google.cloud.storage', 'google.auth', 'requests'}.isdisjoint(sys.modules))"
    )
    paths = repr(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {paths}; {code}"], check=False
    )
    assert done.returncode == 0


def test_a_missing_sdk_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(AdapterNotInstalled, match=r"pip install 'statebucket\[gcs\]'"):
        open_bucket(location())

    def no_parent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.util.find_spec", no_parent)
    with pytest.raises(AdapterNotInstalled):
        open_bucket(location())


LOADS = """
import asyncio, sys
from statebucket import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        await store.set("k", b"v")
        assert await store.get("k") == b"v"

asyncio.run(main())
slow = {"google.auth", "google.cloud.storage", "requests", "urllib3", "email",
        "http.client", "urllib.request", "concurrent.futures.thread", "pathlib", "secrets"}
print(sorted(slow & set(sys.modules)))
"""


def test_over_http_no_sdk_is_loaded_and_the_process_ends_in_peace(
    fake: Server, around: Around
) -> None:
    url = f"gs://{around.bucket}?engine=http&anonymous=true&endpoint_url={fake.url}"
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", LOADS, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.asyncio
async def test_without_google_crc32c_bodies_are_compared_by_their_md5(
    proxy: FaultProxy, around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    checksums._crc32c.cache_clear()
    try:
        bucket = open_gcs(proxy.url, around.bucket, engine="http")
        await bucket.put(write("a", b"123"), None)
        described = json.loads(proxy.requests[0].body.split(b"\r\n")[3])
        assert described["md5Hash"] == "ICy5YqxZB1uWSwcVLSNLcA=="
        found = await bucket.get("a")
        assert found is not None
        assert found.body == b"123"
        proxy.plan(CorruptBody())
        with pytest.raises(Unavailable, match="MD5"):
            await bucket.get("a")
    finally:
        checksums._crc32c.cache_clear()

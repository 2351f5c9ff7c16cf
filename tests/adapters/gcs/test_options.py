"""Opening ``gs://``: options, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client  # type: ignore[import-untyped]

import statebucket_gcs
from statebucket.errors import AdapterNotInstalled, InvalidArgument, InvalidURL
from statebucket.port.bucket import Bucket, Location
from statebucket_gcs import open_bucket
from statebucket_gcs.sdk.options import SDKOptions
from statebucket_gcs.sdk.session import connect

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(("host", "path"), [("", ""), ("a b", ""), ("b", "/a//b"), ("b", "/../a")])
def test_what_urls_are_refused(host: str, path: str) -> None:
    with pytest.raises(InvalidURL):
        open_bucket(location(host, path))


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "UNRELATED"])
def test_the_environment_is_read_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
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
    monkeypatch.setattr(statebucket_gcs, "find_spec", lambda _: None)
    with pytest.raises(AdapterNotInstalled, match=r"pip install 'statebucket\[gcs\]'"):
        open_bucket(location())

    def no_parent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(statebucket_gcs, "find_spec", no_parent)
    with pytest.raises(AdapterNotInstalled):
        open_bucket(location())

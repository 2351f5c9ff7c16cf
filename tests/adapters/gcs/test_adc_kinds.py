"""The kinds of files that application default credentials may be, with each engine."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.auth import external_account, iam
from google.oauth2 import credentials as logins

from support.fault_proxy.proxy import Answer, FaultProxy, on
from support.servers.ports import free_port
from support.targets.gcs_bucket import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.targets.gcs_bucket import Around, Opened

pytestmark = pytest.mark.asyncio

JSON = (("Content-Type", "application/json"),)
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/v"
GENERATE = "/v1/projects/-/serviceAccounts/{}:generateAccessToken"
ACCOUNT = GENERATE.format("f@p.iam.gserviceaccount.com")
JWT = "urn:ietf:params:oauth:token-type:jwt"
LOGIN = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
VERIFY = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
KINDS = (
    *("impersonated", "from a file", "from a file, impersonated"),
    *("from a URL", "from AWS", "from a program"),
)


def replied(what: object, place: str) -> Answer:
    return Answer(200, JSON, json.dumps(what).encode(), when=on(contains=place))


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """Every service that gives a token, or a part of one."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    token = {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
    exchanged = token | {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    generated = {"accessToken": "t", "expireTime": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
    keys = {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T"}
    with FaultProxy("127.0.0.1", free_port()) as server:
        monkeypatch.setattr(logins, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/oauth")
        monkeypatch.setattr(iam, "_IAM_ENDPOINT", server.url + GENERATE)
        monkeypatch.setattr(external_account, "_CLOUD_RESOURCE_MANAGER", f"{server.url}/projects/")
        server.always(replied(generated, "generateAccessToken"))
        server.always(replied(token, "/oauth"))
        server.always(replied(exchanged, "/sts"))
        server.always(replied({"id_token": "subject"}, "/subject"))
        server.always(Answer(200, (), b"eu-west-1b", when=on(contains="/zone")))
        server.always(replied(keys, "/keys/r"))
        server.always(Answer(200, (), b"r", when=on(contains="/keys")))
        yield server


def federated(url: str, source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "external_account",
        "audience": POOL,
        "subject_token_type": JWT,
        "token_url": f"{url}/sts",
        "credential_source": source,
    } | more


def file_of(kind: str, url: str, folder: Path) -> dict[str, Any]:
    """A file as Google's tools write it, for services at a URL."""
    (folder / "subject").write_text("subject")
    program = folder / "program.py"
    answer = {"version": 1, "success": True, "token_type": JWT, "id_token": "subject"}
    program.write_text(f"print({json.dumps(answer | {'expiration_time': 4_102_444_800})!r})")
    held = {"file": str(folder / "subject")}
    as_json = {"type": "json", "subject_token_field_name": "id_token"}
    aws = {"environment_id": "aws1", "region_url": f"{url}/zone", "url": f"{url}/keys"}
    command = shlex.join([sys.executable, str(program)])
    return {
        "impersonated": {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": url + ACCOUNT,
            "source_credentials": LOGIN,
            "delegates": [],
        },
        "from a file": federated(url, held),
        "from a file, impersonated": federated(
            url, held, service_account_impersonation_url=url + ACCOUNT
        ),
        "from a URL": federated(url, {"url": f"{url}/subject", "format": as_json}),
        "from AWS": federated(
            url,
            aws | {"regional_cred_verification_url": VERIFY},
            subject_token_type="urn:ietf:params:aws:token-type:aws4_request",
        ),
        "from a program": federated(
            url, {"executable": {"command": command, "timeout_millis": 10_000}}
        ),
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_of_each_kind_gives_a_token_from_the_services_that_it_names(
    proxy: FaultProxy,
    services: FaultProxy,
    around: Around,
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    kind: str,
) -> None:
    """No other is asked, such as Cloud Resource Manager for a project."""
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    file = tmp_path / "adc.json"
    file.write_text(json.dumps(file_of(kind, services.url, tmp_path)))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    bucket = opened(proxy.url, around.bucket, anonymous="false", deadline=15.0)
    await bucket.put(write("a"), None)
    assert await bucket.get("a") is not None
    assert {sent.header("authorization") for sent in proxy.requests} == {"Bearer t"}
    assert not [sent for sent in services.requests if sent.target.startswith("/projects")]
    assert "project" not in caplog.text

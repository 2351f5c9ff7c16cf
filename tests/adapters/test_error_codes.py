"""An error carries the service's own code, on every adapter and engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from azure.core.credentials import AzureNamedKeyCredential

from statebucket import errors, open_store
from support.fault_proxy.answers import azure_error, gcs_error, s3_error
from support.fault_proxy.proxy import Answer, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT_KEY = AzureNamedKeyCredential("account", "a2V5")
S3 = "s3://bucket/app?region=us-east-1&endpoint_url={url}"
GCS = "gs://bucket/app?anonymous=true&endpoint_url={url}"
AZURE = "az://container/app?endpoint_url={url}/account"


class Case(NamedTuple):
    url: str
    answer: Answer
    code: str


CASES = {
    "s3": Case(S3, s3_error(403, "AccessDenied"), "AccessDenied"),
    "s3-http": Case(f"{S3}&engine=http", s3_error(403, "AccessDenied"), "AccessDenied"),
    "s3-of-the-service": Case(S3, s3_error(400, "OfItsOwn"), "OfItsOwn"),
    "s3-http-of-the-service": Case(f"{S3}&engine=http", s3_error(400, "OfItsOwn"), "OfItsOwn"),
    "s3-none": Case(S3, Answer(403, ()), "403"),
    "s3-http-none": Case(f"{S3}&engine=http", Answer(403, ()), "403"),
    "gcs": Case(GCS, gcs_error(403, "accountDisabled", "no"), "accountDisabled"),
    "gcs-http": Case(
        f"{GCS}&engine=http", gcs_error(403, "accountDisabled", "no"), "accountDisabled"
    ),
    "gcs-none": Case(GCS, Answer(403, ()), "403"),
    "gcs-http-none": Case(f"{GCS}&engine=http", Answer(403, ()), "403"),
    "azure": Case(AZURE, azure_error(403, "AuthorizationFailure"), "AuthorizationFailure"),
    "azure-http": Case(
        f"{AZURE}&engine=http", azure_error(403, "AuthorizationFailure"), "AuthorizationFailure"
    ),
    "azure-none": Case(AZURE, Answer(403, ()), "403"),
    "azure-http-none": Case(f"{AZURE}&engine=http", Answer(403, ()), "403"),
}


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", 1) as proxy:  # no request reaches a server
        yield proxy


async def failing(url: str, **options: Any) -> errors.StateBucketError:
    async with open_store(url, **options) as store:
        with pytest.raises(errors.StateBucketError) as caught:
            await store.set("key", b"value")
    return caught.value


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CASES)
async def test_an_error_has_the_code_of_the_service_or_else_the_status(
    name: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    case = CASES[name]
    proxy.always(case.answer)
    options = {"credential": ACCOUNT_KEY} if case.url.startswith("az:") else {}
    error = await failing(case.url.format(url=proxy.url), **options)
    assert error.code == case.code


def test_an_error_of_sqlite_has_sqlites_code(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database" * 100)
    assert asyncio.run(failing(f"sqlite:///{path}")).code == "SQLITE_NOTADB"


def test_an_error_that_no_service_gave_has_no_code() -> None:
    error = asyncio.run(failing("s3://bucket/app?region=eu-west-1&endpoint_url=http://127.0.0.1:1"))
    assert error.code is None

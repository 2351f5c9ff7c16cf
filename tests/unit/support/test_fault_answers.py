"""Each service's own SDK reads the errors as that service's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from botocore.exceptions import ClientError
from google.api_core.exceptions import GoogleAPICallError

from support.fault_proxy.echo import Rig, running_rig
from support.fault_proxy.proxy import azure_error, gcs_error, on, s3_error
from support.servers import AZURE_ACCOUNT, AZURE_KEY, Server, Service
from support.servers.sdk import azure_client, gcs_client, s3_client

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A proxy whose server is never reached."""
    with running_rig() as running:
        yield running


def server(rig: Rig, service: Service) -> Server:
    """Give the proxy as a server of a service."""
    return Server(
        name="none",
        service=service,
        url=rig.proxy.url,
        access_key=AZURE_ACCOUNT,
        secret_key=AZURE_KEY,
        pid=0,
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (404, "NoSuchBucket"),
        (409, "ConditionalRequestConflict"),
        (500, "InternalError"),
        (503, "SlowDown"),
    ],
)
def test_s3(rig: Rig, status: int, code: str) -> None:
    rig.proxy.plan(s3_error(status, code, retry_after=2))
    client = s3_client(server(rig, "s3"))
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="bucket", Key="key", Body=b"body")
    client.close()
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"] != code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "2"
    assert b"body" in rig.proxy.requests[0].body


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "forbidden"),
        (404, "notFound"),
        (412, "conditionNotMet"),
        (429, "rateLimitExceeded"),
        (503, "backendError"),
    ],
)
def test_gcs(rig: Rig, status: int, reason: str) -> None:
    rig.proxy.plan(gcs_error(status, reason, "what went wrong", retry_after=2))
    client = gcs_client(server(rig, "gcs"))
    with pytest.raises(GoogleAPICallError, match="what went wrong") as caught:
        client.get_bucket("bucket", retry=None)
    client.close()
    assert caught.value.code == status
    assert caught.value.errors[0]["reason"] == reason
    assert caught.value.response.headers["Retry-After"] == "2"


@pytest.mark.parametrize("head", [False, True], ids=["with a body", "without"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AuthenticationFailed"),
        (404, "ContainerNotFound"),
        (409, "BlobAlreadyExists"),
        (412, "ConditionNotMet"),
        (503, "ServerBusy"),
    ],
)
def test_azure(rig: Rig, status: int, code: str, *, head: bool) -> None:
    rig.proxy.plan(azure_error(status, code, "what went wrong", retry_after=2))
    with azure_client(server(rig, "azure")) as client:
        blob = client.get_blob_client("container", "blob")
        with pytest.raises(HttpResponseError) as caught:
            blob.get_blob_properties() if head else blob.upload_blob(b"body", overwrite=True)
    error: Any = caught.value
    assert (error.status_code, error.error_code) == (status, code)
    assert head or "what went wrong" in error.message
    assert error.response.headers["Retry-After"] == "2"


def test_they_may_be_for_some_requests_only(rig: Rig) -> None:
    rig.proxy.always(s3_error(503, "SlowDown", when=on("PUT")))
    assert [rig.ask(method).status for method in ("GET", "PUT")] == [200, 503]

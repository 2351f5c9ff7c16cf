"""Errors of the service and of the network as statebucket's errors."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AzureNamedKeyCredential

from adapters.azure.test_port import write
from statebucket import errors
from statebucket.contract.versions import Version
from statebucket.port.expiry import Expiry
from support.fault_proxy.proxy import (
    Answer,
    BlackHole,
    CutBody,
    DropBeforeSend,
    DropReply,
    FaultProxy,
    HangBeforeReply,
    azure_error,
)
from support.servers.ports import free_port
from support.targets.azure import open_at, opened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Fault
    from support.servers import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("engine")]

TAGGED = write("a", expiry=Expiry(1, 4))

# status, code, the class, and what is known of a write that is answered so
ANSWERS = [
    (400, "InvalidHeaderValue", errors.RequestRejected, "none"),
    (401, "InvalidAuthenticationInfo", errors.InvalidCredentials, "none"),
    (401, "NoAuthenticationInformation", errors.InvalidCredentials, "none"),
    (403, "AuthenticationFailed", errors.InvalidCredentials, "none"),
    (403, "KeyBasedAuthenticationNotPermitted", errors.InvalidCredentials, "none"),
    (403, "AuthorizationFailure", errors.AccessDenied, "none"),
    (403, "AuthorizationPermissionMismatch", errors.AccessDenied, "none"),
    (403, "InsufficientAccountPermissions", errors.AccessDenied, "none"),
    (403, "AccountIsDisabled", errors.RequestRejected, "none"),
    (403, "KeyVaultAccessTokenCannotBeAcquired", errors.RequestRejected, "none"),
    (403, "KeyVaultEncryptionKeyNotFound", errors.RequestRejected, "none"),
    (403, "KeyVaultVaultNotFound", errors.RequestRejected, "none"),
    (404, "ContainerNotFound", errors.BucketNotFound, "none"),
    (404, "ResourceNotFound", errors.RequestRejected, "none"),
    (408, "RequestTimeout", errors.Unavailable, "unknown"),
    (409, "ContainerBeingDeleted", errors.BucketNotFound, "none"),
    (409, "PublicAccessNotPermitted", errors.InvalidCredentials, "none"),
    (409, "BlobArchived", errors.RequestRejected, "none"),
    (409, "BlobHasBeenModified", errors.Unavailable, "unknown"),
    (409, "BlobModifiedWhileReading", errors.Unavailable, "unknown"),
    (409, "BlobImmutableDueToLegalHold", errors.RequestRejected, "none"),
    (409, "BlobImmutableDueToPolicy", errors.RequestRejected, "none"),
    (412, "LeaseIdMissing", errors.RequestRejected, "none"),
    (413, "RequestBodyTooLarge", errors.RequestRejected, "none"),
    (429, "TooManyRequests", errors.Throttled, "none"),
    (500, "InternalError", errors.Unavailable, "unknown"),
    (500, "OperationTimedOut", errors.Unavailable, "unknown"),
    (501, "NotImplemented", errors.RequestRejected, "none"),
    (502, "BadGateway", errors.Unavailable, "unknown"),
    (503, "ServerBusy", errors.Throttled, "none"),
    (503, "Unavailable", errors.Unavailable, "unknown"),
]


@pytest.mark.parametrize(("status", "code", "kind", "outcome"), ANSWERS)
async def test_answers(
    bucket: Bucket,
    proxy: FaultProxy,
    status: int,
    code: str,
    kind: type[errors.StateBucketError],
    outcome: str,
) -> None:
    proxy.always(azure_error(status, code))
    for writes, call in (
        (True, lambda: bucket.put(write("a"), None)),
        (True, lambda: bucket.put(write("a"), Version.ABSENT)),
        (True, lambda: bucket.delete("a")),
        (True, lambda: bucket.delete_many(["a", "b"])),
        (False, lambda: bucket.get("a")),
        (False, lambda: bucket.head("a")),
        (False, lambda: bucket.list("", after=None, limit=1)),
        (False, lambda: bucket.list_prefixes("", after=None, limit=1)),
        (False, lambda: bucket.check("")),
    ):
        with pytest.raises(errors.StateBucketError) as caught:
            await call()
        assert type(caught.value) is kind
        assert caught.value.outcome == (outcome if writes else "none")
        assert str(status) in str(caught.value)
        assert code in str(caught.value)
        assert "0A1B2C3D4E5F6071" in str(caught.value)


async def test_a_rejected_request_has_the_services_own_text(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    said = 'The API version 2030-01-01 is not supported; "--skip" can skip this & go on.'
    proxy.always(azure_error(400, "InvalidHeaderValue", said))
    for call in (
        bucket.put(write("a"), None),
        bucket.get("a"),
        bucket.check(""),
    ):
        with pytest.raises(errors.RequestRejected) as caught:
            await call
        assert f"(request 0A1B2C3D4E5F6071): {said[:-1]}" in str(caught.value)
        assert "RequestId:" not in str(caught.value)
    proxy.clear()
    proxy.plan(azure_error(400, "InvalidQuery", "no good: ?sig=c2VjcmV0"))
    with pytest.raises(errors.RequestRejected) as caught:
        await bucket.get("a")
    assert "no good" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "BlobAlreadyExists"), (412, "ConditionNotMet"), (412, ""), (404, "BlobNotFound")],
)
async def test_lost_conditions(bucket: Bucket, proxy: FaultProxy, status: int, code: str) -> None:
    proxy.plan(azure_error(status, code))
    with pytest.raises(errors.PreconditionFailed) as caught:
        await bucket.put(write("a"), Version.ABSENT)
    assert caught.value.outcome == "none"


async def test_answers_without_a_code_go_by_their_status(bucket: Bucket, proxy: FaultProxy) -> None:
    for status, kind in (
        (403, errors.AccessDenied),
        (404, errors.RequestRejected),
        (429, errors.Throttled),
        (502, errors.Unavailable),
    ):
        proxy.plan(Answer(status, (("Content-Type", "text/html"),), b"<html>no</html>"))
        with pytest.raises(kind):
            await bucket.get("a")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("Retry-After", "3"),), 3.0),
        ((("x-ms-retry-after-ms", "250"), ("Retry-After", "3")), 0.25),
        ((("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),), 0.0),
        ((("x-ms-retry-after-ms", "soon"), ("Retry-After", "3")), 3.0),
        ((("Retry-After", "nan"),), None),
        ((("Retry-After", "-1"),), None),
        ((), None),
    ],
)
async def test_retry_after(
    bucket: Bucket, proxy: FaultProxy, headers: tuple[tuple[str, str], ...], seconds: float
) -> None:
    proxy.plan(Answer(503, (("x-ms-error-code", "ServerBusy"), *headers)))
    with pytest.raises(errors.Throttled) as caught:
        await bucket.head("a")
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (DropBeforeSend(), "unknown"),
        (DropBeforeSend(reset=True), "unknown"),
        (DropReply(), "unknown"),
        (HangBeforeReply(), "unknown"),
        (BlackHole(), "unknown"),
    ],
    ids=repr,
)
async def test_a_lost_answer_leaves_a_write_open(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient, fault: Fault, outcome: str
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, deadline=9.0)
    calls: list[tuple[bool, Callable[[], Awaitable[object]]]] = [
        (True, lambda: bucket.put(write("a"), None)),
        (True, lambda: bucket.delete("a")),
        (True, lambda: bucket.delete_many(["a"])),
        (False, lambda: bucket.get("a")),
    ]
    # Connections that are open already, as in the middle of a run.
    await asyncio.gather(*(bucket.head("a") for _ in calls))
    proxy.clear()
    proxy.always(fault)

    async def lost(call: Callable[[], Awaitable[object]], *, writes: bool) -> None:
        started = time.monotonic()
        with pytest.raises(errors.Unavailable) as caught:
            await call()
        assert caught.value.outcome == (outcome if writes else "none")
        # A try that hangs ends after a third of the deadline, not with it.
        assert time.monotonic() - started < 9

    await asyncio.gather(*(lost(call, writes=writes) for writes, call in calls))
    assert proxy.count() == len(calls)
    await bucket.close()


async def test_what_could_not_be_sent_was_not_written(raw: ContainerClient) -> None:
    for endpoint in (f"http://127.0.0.1:{free_port()}/devstoreaccount1", "http://no.invalid/dev"):
        bucket = opened_at(endpoint, raw.container_name)
        host = urlsplit(endpoint).netloc
        with pytest.raises(errors.Unavailable, match="cannot be reached") as caught:
            await bucket.put(write("a"), None)
        assert caught.value.outcome == "none"
        assert host in caught.value.message
        await bucket.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<html/>",
        b"no XML",
        b"<EnumerationResults><Blobs><Blob/></Blobs></EnumerationResults>",
    ],
)
@pytest.mark.parametrize("kind", ["application/xml", "text/html"])
async def test_a_malformed_page(bucket: Bucket, proxy: FaultProxy, body: bytes, kind: str) -> None:
    proxy.always(Answer(200, (("Content-Type", kind),), body))
    with pytest.raises(errors.Unavailable) as caught:
        await bucket.list("", after=None, limit=1)
    assert "object has no" not in caught.value.message  # the SDK's inside helps no one
    with pytest.raises(errors.Unavailable) as caught:
        await bucket.list_prefixes("", after=None, limit=1)
    assert "object has no" not in caught.value.message
    with pytest.raises(errors.Unavailable) as caught:
        await bucket.delete_many(["a"])
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize("kind", ["application/xml", "application/json", "text/xml; charset=no"])
async def test_text_that_the_sdk_cannot_decode(
    bucket: Bucket, proxy: FaultProxy, kind: str
) -> None:
    await bucket.put(write("a"), None)
    proxy.always(Answer(202, (("Content-Type", kind),), b"\x80"))
    with pytest.raises(errors.Unavailable) as caught:
        await bucket.delete("a")
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_success_that_the_service_did_not_say(
    bucket: Bucket, proxy: FaultProxy, status: int
) -> None:
    proxy.always(Answer(status, (("Content-Type", "text/html"),), b"<html>Log in, please</html>"))
    for call, outcome in (
        (lambda: bucket.put(write("a"), None), "unknown"),
        (lambda: bucket.get("a"), "none"),
        (lambda: bucket.head("a"), "none"),
        (lambda: bucket.delete_many(["a"]), "unknown"),
        (lambda: bucket.list("", after=None, limit=1), "none"),
        (lambda: bucket.list_prefixes("", after=None, limit=1), "none"),
    ):
        with pytest.raises(errors.Unavailable) as caught:
            await call()
        assert caught.value.outcome == outcome


async def test_a_page_cut_short(bucket: Bucket, proxy: FaultProxy) -> None:
    await bucket.put(write("a"), None)
    proxy.always(CutBody(after_bytes=50))
    for call in (
        lambda: bucket.list("", after=None, limit=1),
        lambda: bucket.list_prefixes("", after=None, limit=1),
        lambda: bucket.delete_many(["b"]),
    ):
        with pytest.raises(errors.Unavailable):
            await call()


async def test_what_to_set(bucket: Bucket, proxy: FaultProxy) -> None:
    for status, code, call, words in (
        (403, "AuthenticationFailed", lambda: bucket.get("a"), "AZURE_STORAGE_CONNECTION_STRING"),
        (403, "AuthorizationPermissionMismatch", lambda: bucket.get("a"), "Data Contributor"),
        (403, "AuthorizationFailure", lambda: bucket.get("a"), "key in AZURE_STORAGE_CONNECTION_"),
        (403, "AuthorizationFailure", lambda: bucket.get("a"), "firewall answers this to networks"),
        (
            403,
            "AuthorizationPermissionMismatch",
            lambda: bucket.put(TAGGED, None),
            "ttl_tags=false",
        ),
        (
            409,
            "FeatureNotYetSupportedForHierarchicalNamespaceAccounts",
            lambda: bucket.put(TAGGED, None),
            "ttl_tags=false",
        ),
        (
            400,
            "BlobTagsNotSupportedForAccountType",
            lambda: bucket.put(TAGGED, None),
            "kind StorageV2.*ttl_tags=false",
        ),
        (403, "AuthorizationPermissionMismatch", lambda: bucket.get("a"), "ten minutes to apply"),
        (403, "AuthorizationFailure", lambda: bucket.get("a"), "in its own region"),
        (401, "InvalidAuthenticationInfo", lambda: bucket.get("a"), "the account's subscription"),
    ):
        proxy.plan(azure_error(status, code))
        with pytest.raises(errors.StateBucketError, match=words):
            await call()


@pytest.mark.parametrize(
    ("status", "code", "words", "others"),
    [
        (403, "KeyBasedAuthenticationNotPermitted", "an identity is used if AZURE_", "clock"),
        (409, "PublicAccessNotPermitted", "no request without credentials", "clock"),
        (403, "AuthorizationSourceIPMismatch", "SAS is for other addresses", "Contributor"),
        (403, "AuthorizationProtocolMismatch", "https only", "Contributor"),
        (403, "AuthorizationResourceTypeMismatch", "resource types c and o", "Contributor"),
        (403, "AuthorizationServiceMismatch", "not for blobs", "Contributor"),
        (403, "AuthorizationFailure", "firewall", "ttl_tags"),
        (409, "BlobImmutableDueToPolicy", "immutable", "ttl_tags"),
    ],
)
async def test_a_code_that_says_more_than_its_kind(
    bucket: Bucket, proxy: FaultProxy, status: int, code: str, words: str, others: str
) -> None:
    proxy.plan(azure_error(status, code, "This operation is not permitted: the blob is immutable."))
    with pytest.raises(errors.StateBucketError, match=words) as caught:
        await bucket.put(TAGGED, None)
    assert others not in caught.value.message


def opened_at(endpoint: str, container: str) -> Bucket:
    options = {
        "endpoint_url": endpoint,
        "credential": AzureNamedKeyCredential("devstoreaccount1", "a2V5"),
        "insecure_endpoint": True,
    }
    return open_at(container, options, max_in_flight=4)

"""Batches that the service refuses as a whole, though it would delete each blob of them.

Microsoft's table asks for ``containers/write`` for a batch, which a deletion does not need:
https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.azure.test_port import write
from statebucket.errors import AccessDenied, RequestRejected, Unavailable
from support.fault_proxy.proxy import Answer, DropReply, azure_error, on
from support.targets.azure import AzureTarget

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server

pytestmark = pytest.mark.asyncio

MISMATCH = "AuthorizationPermissionMismatch"
NO_BATCH = azure_error(403, MISMATCH, when=on("POST"))


def methods(proxy: FaultProxy) -> list[str]:
    return [request.method for request in proxy.requests]


async def test_its_blobs_are_deleted_one_by_one(
    azurite: Server, raw: ContainerClient, proxy: FaultProxy, engine: str
) -> None:
    target = AzureTarget(azurite, raw, proxy, engine)
    async with target.open() as store:
        job = store.tenant("acme").execution("e1")
        for number in range(20):
            await job.set(f"k{number:02}", b"v")
        await job.save(job.snapshot())
        proxy.always(NO_BATCH)
        proxy.clear()
        report = await job.delete()
        assert (report.keys, report.snapshots, report.owners) == (20, 1, 1)
        assert methods(proxy).count("POST") == 1
        assert methods(proxy).count("DELETE") == 22
        assert target.raw_names() == []
        # The refusal is remembered.
        await job.set("a", b"v")
        proxy.clear()
        report = await store.tenant("acme").delete_many(["exec:e1:a", "exec:e1:b"])
        assert (report.keys, methods(proxy)) == (1, ["DELETE"] * 2)


@pytest.mark.usefixtures("engine")
async def test_a_batch_that_was_waiting_meanwhile_is_not_deleted_in_one_call(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    proxy.always(NO_BATCH)
    await bucket.delete_many(["a", "b"])
    proxy.clear()
    # Hundreds of requests would not fit into the deadline of one call.
    results = await bucket.delete_many(["c", "d"])
    assert [type(result.error) for result in results] == [AccessDenied, AccessDenied]
    assert methods(proxy) == []


@pytest.mark.usefixtures("engine")
async def test_one_that_lacks_the_right_to_delete_too_is_refused(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    await bucket.put(write("a"), None)
    proxy.always(azure_error(403, MISMATCH))
    proxy.clear()
    with pytest.raises(AccessDenied):
        await bucket.delete_many(["a", "b", "c"])
    assert methods(proxy) == ["POST", "DELETE"]
    assert not bucket.limits.delete_requests  # the role may be granted later


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("code", ["AuthorizationFailure", "InsufficientAccountPermissions"])
async def test_other_refusals_are_about_more_than_batches(
    bucket: Bucket, proxy: FaultProxy, code: str
) -> None:
    proxy.always(azure_error(403, code, when=on("POST")))
    with pytest.raises(AccessDenied):
        await bucket.delete_many(["a"])
    assert methods(proxy) == ["POST"]


@pytest.mark.usefixtures("engine")
async def test_the_reply_to_the_first_deletion_is_lost(bucket: Bucket, proxy: FaultProxy) -> None:
    await bucket.put(write("a"), None)
    proxy.plan(NO_BATCH, DropReply(when=on("DELETE")))
    with pytest.raises(Unavailable) as caught:
        await bucket.delete_many(["a", "b"])
    assert caught.value.outcome == "unknown"


@pytest.mark.usefixtures("engine")
async def test_a_reply_of_one_part_without_a_number_is_about_the_whole_batch(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    body = (
        "--r\r\nContent-Type: application/http\r\n\r\n"
        "HTTP/1.1 400 One of the request inputs is not valid.\r\n"
        "x-ms-error-code: InvalidInput\r\nx-ms-request-id: r-1\r\n\r\n--r--\r\n"
    )
    kind = (("Content-Type", "multipart/mixed; boundary=r"),)
    proxy.plan(Answer(202, kind, body.encode()))
    with pytest.raises(RequestRejected, match=r"400 InvalidInput \(request r-1\)"):
        await bucket.delete_many(["a", "b"])

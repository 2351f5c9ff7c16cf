"""Both engines turn the same reply into the same error, for each code and operation.

The adapters are called directly, below the core's retries: one call is one request.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from azure.core.credentials import AzureNamedKeyCredential

from adapters.azure.test_errors import ANSWERS
from adapters.azure.test_port import write
from statebucket import Version, errors
from statebucket.port.bucket import Deletion, Location
from statebucket.port.expiry import Expiry
from statebucket_azure import open_bucket, open_bucket_over_http
from support.fault_proxy.proxy import Answer, FaultProxy, azure_error
from support.servers import AZURE_ACCOUNT, AZURE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from statebucket.port.bucket import Bucket

pytestmark = pytest.mark.asyncio

ENGINES = {"sdk": open_bucket, "http": open_bucket_over_http}
VERSION = Version('"0x8DCAFE000000000"')
OPERATIONS: dict[str, Callable[[Bucket], Awaitable[Any]]] = {
    "put": lambda bucket: bucket.put(write("p/k"), None),
    "put with a tag": lambda bucket: bucket.put(write("p/k", expiry=Expiry(1, 4)), None),
    "create": lambda bucket: bucket.put(write("p/k"), Version.ABSENT),
    "replace": lambda bucket: bucket.put(write("p/k"), VERSION),
    "get": lambda bucket: bucket.get("p/k"),
    "head": lambda bucket: bucket.head("p/k"),
    "delete": lambda bucket: bucket.delete("p/k"),
    "delete a version": lambda bucket: bucket.delete("p/k", VERSION),
    "delete many": lambda bucket: bucket.delete_many(["p/k", "p/l"]),
    "list": lambda bucket: bucket.list("p/", after=None, limit=10),
    "list prefixes": lambda bucket: bucket.list_prefixes("p/", after=None, limit=10),
    "check": lambda bucket: bucket.check("p/"),
}


class Seen(NamedTuple):
    """How a call ended.

    Attributes:
        kind: The error's class, or what was returned.
        transient: Whether the core would send the request again.
        outcome: What became of a write.
        message: The error's text.
        code: Its code.
        retry_after: Seconds that the service asked to wait.
        requests: How many were sent.
    """

    kind: object
    transient: bool
    outcome: str
    message: str
    code: str | None
    retry_after: float | None
    requests: int


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", 1) as proxy:  # no request reaches a server
        yield proxy


@asynccontextmanager
async def opened(proxy: FaultProxy, engine: str) -> AsyncIterator[Bucket]:
    options = {
        "endpoint_url": f"{proxy.url}/{AZURE_ACCOUNT}",
        "credential": AzureNamedKeyCredential(AZURE_ACCOUNT, AZURE_KEY),
    }
    bucket = ENGINES[engine](Location("az", "container", "/p", options, 10.0, 8)).bucket
    yield bucket
    await bucket.close()


async def seen(proxy: FaultProxy, bucket: Bucket, operation: str) -> Seen:
    before = proxy.count()
    try:
        returned = await OPERATIONS[operation](bucket)
    except errors.StateBucketError as error:
        return Seen(
            type(error),
            error.transient,
            error.outcome,
            error.message,
            error.code,
            error.retry_after,
            proxy.count() - before,
        )
    if isinstance(returned, list) and returned and isinstance(returned[0], Deletion):
        returned = [(one.name, type(one.error), str(one.error)) for one in returned]
    return Seen(
        returned,
        transient=False,
        outcome="none",
        message="",
        code=None,
        retry_after=None,
        requests=proxy.count() - before,
    )


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_code_is_the_same_error_after_one_request(
    proxy: FaultProxy, operation: str
) -> None:
    codes = [
        *ANSWERS,
        (404, "BlobNotFound", None, "none"),
        (409, "BlobAlreadyExists", None, "none"),
        (412, "ConditionNotMet", None, "none"),
        (400, "Md5Mismatch", None, "none"),
        (418, "OfItsOwn", None, "none"),
        (500, "x" * 400, None, "unknown"),
    ]
    wrong = {}
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        for status, code, _, _ in codes:
            proxy.heal()
            proxy.always(azure_error(status, code, retry_after=3))
            first, second = [await seen(proxy, one, operation) for one in (sdk, http)]
            # A batch that is refused so is followed by one deletion: see test_refused_batches.
            lacks_right = operation == "delete many" and code == "AuthorizationPermissionMismatch"
            if first != second or first.requests != 1 + lacks_right:
                wrong[code] = (first, second)
    assert wrong == {}


STATUSES = [200, 201, 202, 206, 301, 304, 400, 403, 404, 500, 503]
PAGES = {
    "nothing": (b"", "text/html"),
    "a page": (b"<html>a gateway</html>", "text/html"),
    "another document": (b"<StorageServiceProperties/>", "application/xml"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_reply_that_is_not_azures_is_the_same_kind_of_error(
    proxy: FaultProxy, operation: str
) -> None:
    wrong = {}
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        for status, page in product(STATUSES, PAGES):
            body, kind = PAGES[page]
            proxy.heal()
            proxy.always(Answer(status, (("Content-Type", kind),), body))
            first, second = [await seen(proxy, one, operation) for one in (sdk, http)]
            # What is no reply of the service's is worded by who reads it.
            if (*first[:3], first.code, first.requests) != (
                *second[:3],
                second.code,
                second.requests,
            ):
                wrong[status, page] = (first, second)
    assert wrong == {}


@pytest.mark.parametrize(("code", "outcome"), [("Md5Mismatch", "none"), ("Busy", "unknown")])
async def test_a_body_that_arrived_altered_was_not_written(
    proxy: FaultProxy, code: str, outcome: str
) -> None:
    proxy.always(azure_error(400 if code == "Md5Mismatch" else 503, code))
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        for bucket in (sdk, http):
            error = await seen(proxy, bucket, "put")
            assert (error.kind, error.transient) == (errors.Unavailable, True)
            assert error.outcome == outcome

"""Rare replies of the service, and the requests that follow them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken

from adapters.azure.http.sources import Blocking, bearers
from statebucket import errors
from statebucket.port.bucket import Location
from statebucket_azure import open_bucket_over_http
from support.fault_proxy.proxy import Answer, azure_error

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy

pytestmark = pytest.mark.asyncio


class Counting:
    """An asynchronous credential that numbers its tokens and takes its time."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_token(self, *_: str) -> AccessToken:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(0.1)
        return AccessToken(f"t-{number}", int(time.time()) + 3600)


def bucket_of(blobs: FaultProxy, credential: object) -> Any:
    options = {"endpoint_url": f"{blobs.url}/account1", "credential": credential}
    return open_bucket_over_http(Location("az", "container", "", options, 10.0, 4)).bucket


async def test_a_batch_is_sent_once_more_with_another_token_in_each_part(
    blobs: FaultProxy,
) -> None:
    bucket = bucket_of(blobs, Counting())
    blobs.heal()
    blobs.always(azure_error(401, "InvalidAuthenticationInfo"))
    with pytest.raises(errors.InvalidCredentials):
        await bucket.delete_many(["a", "b"])
    assert bearers(blobs) == ["Bearer t-1", "Bearer t-2"]
    for request, token in zip(blobs.requests, (b"t-1", b"t-2"), strict=True):
        assert request.body.count(b"authorization: Bearer " + token) == 2


async def test_each_part_of_a_batch_has_a_length(blobs: FaultProxy) -> None:
    bucket = bucket_of(blobs, Blocking())
    with pytest.raises(errors.StateBucketError):
        await bucket.delete_many(["a", "b"])
    assert blobs.requests[-1].body.count(b"\r\nContent-Length: 0\r\n") == 2


@pytest.mark.parametrize("call", ["list", "list_prefixes"])
async def test_a_service_without_beginnings_is_asked_for_them_once(
    blobs: FaultProxy, call: str
) -> None:
    empty = b"<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
    bucket = bucket_of(blobs, Blocking())
    blobs.heal()
    blobs.always(Answer(200, (("Content-Type", "application/xml"),), empty))
    blobs.plan(azure_error(400, "InvalidHeaderValue"))
    for _ in range(2):
        page = await getattr(bucket, call)("p/", after=None, limit=5, start_after="p/a/")
        assert page.following is None
    queries = [parse_qs(urlsplit(request.target).query) for request in blobs.requests]
    assert ["startFrom" in query for query in queries] == [True, False, False]
    versions = [request.header("x-ms-version") for request in blobs.requests]
    assert versions == ["2026-02-06", "2021-12-02", "2021-12-02"]


async def test_a_document_type_in_another_encoding_is_refused(blobs: FaultProxy) -> None:
    text = '<!DOCTYPE a [<!ENTITY e "x">]><EnumerationResults><Blobs/></EnumerationResults>'
    bucket = bucket_of(blobs, Blocking())
    blobs.heal()
    blobs.always(Answer(200, (("Content-Type", "application/xml"),), text.encode("utf-16")))
    with pytest.raises(errors.Unavailable, match="zero byte"):
        await bucket.list("p/", after=None, limit=5)


async def test_callers_share_one_request_for_a_token(blobs: FaultProxy) -> None:
    credential = Counting()
    bucket = bucket_of(blobs, credential)
    calls = [asyncio.ensure_future(bucket.get(name)) for name in "abcd"]
    await asyncio.sleep(0.03)
    calls[0].cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert ended[1:] == [None] * 3
    assert credential.asked == 1
    assert bearers(blobs) == ["Bearer t-1"] * 3

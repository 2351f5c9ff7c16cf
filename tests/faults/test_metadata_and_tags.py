"""Metadata is small and plain, with one tag; and services that refuse even that."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from faults.clouds import write
from faults.server_marks import azure_only, every_cloud, gcs_only, s3_only, with_tags
from statebucket import errors
from support.fault_proxy.proxy import RewriteReply, azure_error, s3_error
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud
    from support.fault_proxy.messages import Reply
    from support.fault_proxy.record import Recorded

pytestmark = pytest.mark.asyncio

TAG_HEADERS = {"s3": "x-amz-tagging", "azure": "x-ms-tags"}
SMALLEST_LIMIT = 2048  # S3's, in bytes, names and values


@every_cloud
async def test_what_is_written_fits_every_service(cloud: Cloud) -> None:
    async with cloud.open() as store:
        acme = store.tenant(ACME)
        await acme.set("k" * 300, b"v", timedelta(days=1000))
        await acme.save_snapshot(snapshot(1), ttl=timedelta(days=1000))
        await acme.set("ключ", "é€".encode())
    names = cloud.target.raw_names()
    assert len(names) == 4
    for name in names:
        raw = cloud.target.raw_get(name)
        assert raw is not None
        size = 0
        for key, value in raw.metadata.items():
            assert re.fullmatch("[a-z][a-z0-9]*", key)
            assert re.fullmatch("[a-z0-9]+", value)
            size += len(key) + len(value)
        assert 0 < size < SMALLEST_LIMIT / 16


@every_cloud
async def test_metadata_that_others_added_is_not_minded(cloud: Cloud) -> None:
    others = {"Owner": "Ann", "padded": "  two words ", "long": "x" * 1500, "ExpiresAtAll": "never"}
    cloud.target.raw_put("shared/keys/k", b"v", others)
    # Azure and S3 keep or lower the case as they like; ours is known in any.
    cloud.target.raw_put("shared/keys/old", b"v", {"ExpiresAt": "1000"})
    async with cloud.open() as store:
        assert await store.get("k") == b"v"
        if cloud.service != "gcs":  # whose metadata tells upper case from lower
            assert await store.get("old") is None


@every_cloud
async def test_names_of_headers_may_come_in_capitals(cloud: Cloud) -> None:
    await read_in_capitals(cloud)


@every_cloud
async def test_capitals_on_the_http_engine(cloud: Cloud) -> None:
    await read_in_capitals(cloud, engine="http")


async def read_in_capitals(cloud: Cloud, **options: str) -> None:
    """See that metadata is known whose header's name a server, or one between, has capitalized."""
    async with cloud.open(**options) as store:
        await store.set("k", b"v", timedelta(days=1))
        cloud.target.raw_put("shared/keys/old", b"v", {"expiresat": "1000"})
        cloud.proxy.always(RewriteReply(capitalized))
        entry = await store.get_stored("k")
        assert entry is not None
        assert entry.value == b"v"
        assert entry.expires_at is not None
        assert await store.get("old") is None
        assert not await store.exists("old")


def capitalized(reply: Reply, _request: Recorded) -> Reply:
    """A reply with its headers' names as Go writes them: ``X-Amz-Meta-Expiresat``."""
    return replace(reply, headers=tuple((name.title(), value) for name, value in reply.headers))


@every_cloud
async def test_metadata_that_the_service_finds_too_large_is_told(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(cloud.says("metadata too large"))
        with pytest.raises(errors.RequestRejected) as caught:
            await store.set("k", b"v")
        assert caught.value.outcome == "none"
        assert cloud.proxy.count() == 1


@with_tags
@pytest.mark.parametrize("days", [1, 100, 1024])
async def test_an_object_with_a_ttl_has_one_tag_of_plain_letters(cloud: Cloud, days: int) -> None:
    async with cloud.open() as store:
        await store.set("k", b"v", timedelta(days=days))
        await store.set("k", b"v")
        await store.set("k", b"v", timedelta(days=days), if_version=None)
    name = TAG_HEADERS[cloud.service]
    sent = [request.header(name) for request in cloud.requests(write)]
    ((key, value),) = parse_qsl(sent[0] or "")
    assert key == "statebucket-ttl"
    assert value in {"1", "128", "1024"}
    assert re.fullmatch("[A-Za-z0-9 +.:=_/-]+", key + value)  # what Azure takes
    assert sent == [sent[0], None, sent[0]]


@gcs_only
async def test_cloud_storage_is_sent_no_tag(cloud: Cloud) -> None:
    async with cloud.open() as store:
        await store.set("k", b"v", timedelta(days=1))
    (request,) = cloud.requests(write)
    assert b"statebucket-ttl" not in request.body
    assert b'"customTime":' in request.body


@s3_only
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (501, "NotImplemented", errors.RequestRejected),
        (403, "AccessDenied", errors.AccessDenied),
        (400, "InvalidTag", errors.RequestRejected),
    ],
)
async def test_s3_without_tags_or_the_right_to_them(
    cloud: Cloud, status: int, code: str, kind: type[errors.StateBucketError]
) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(
            s3_error(status, code, when=lambda one: one.header("x-amz-tagging") is not None)
        )
        with pytest.raises(kind) as caught:
            await store.set("k", b"v", timedelta(days=1))
        assert type(caught.value) is kind
        if code != "InvalidTag":
            assert "ttl_tags" in str(caught.value)
        assert len(cloud.requests(write)) == 1
    async with cloud.open(ttl_tags=False) as store:
        await store.set("k", b"v", timedelta(days=1))
        assert await store.get("k") == b"v"


@azure_only
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "FeatureNotYetSupportedForHierarchicalNamespaceAccounts", errors.RequestRejected),
        (403, "AuthorizationPermissionMismatch", errors.AccessDenied),
    ],
)
async def test_azure_without_tags_or_the_right_to_them(
    cloud: Cloud, status: int, code: str, kind: type[errors.StateBucketError]
) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(
            azure_error(status, code, when=lambda one: one.header("x-ms-tags") is not None)
        )
        with pytest.raises(kind, match="ttl_tags=false") as caught:
            await store.save_snapshot(snapshot(1), ttl=timedelta(days=1))
        assert type(caught.value) is kind
    async with cloud.open(ttl_tags=False) as store:
        await store.save_snapshot(snapshot(1), ttl=timedelta(days=1))
        assert await store.load_snapshot(E1) is not None

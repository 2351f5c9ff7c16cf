"""The rights that each call of a store needs on S3: the recorded requests in IAM's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from statebucket import open_store
from support.every_call import DRIVERS, Ids, drive
from support.fault_proxy.proxy import FaultProxy
from support.recorded_names import in_request
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from support.fault_proxy.proxy import Recorded
    from support.servers import Server

IDS = Ids("e1", "k", "r", "acme")
_SCRATCH = "scratch"


class Right(NamedTuple):
    """What a request needs.

    Attributes:
        action: The action.
        path: The object's name; empty for the bucket.
        context: The condition keys that the request has.
    """

    action: str
    path: str
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = ()


async def rights(
    server: Server, *, tenant: str | None, owner_index: bool | None = None
) -> dict[str, set[Right]]:
    """Makes every public call, and returns the rights that each needed.

    Args:
        server: A server; the requests go to a bucket of their own there, without a policy.
        tenant: Bound to this tenant; None for the store as it is.
        owner_index: Whether the store keeps owner records; by default, where it is not bound.
    """
    client = raw_client(server)
    client.create_bucket(Bucket=_SCRATCH)
    needed = {}
    keeps = tenant is None if owner_index is None else owner_index
    try:
        with FaultProxy(server.host, server.port) as proxy:
            url = f"s3://{_SCRATCH}/app/state?region=us-east-1&endpoint_url={proxy.url}"
            async with open_store(url, owner_index=keeps) as opened:
                store = opened if tenant is None else opened.tenant(tenant)
                await drive(store, "save_snapshot", IDS)  # with the owner record
                needed["a first save"] = {
                    right for request in proxy.requests for right in _of(request)
                }
                for call in sorted(DRIVERS):
                    for first in ("save_snapshot", "set"):
                        await drive(store, first, IDS)
                    proxy.clear()
                    await drive(store, call, IDS)
                    needed[call] = {right for request in proxy.requests for right in _of(request)}
    finally:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=_SCRATCH):
            for entry in page.get("Contents", ()):
                client.delete_object(Bucket=_SCRATCH, Key=entry["Key"])
        client.delete_bucket(Bucket=_SCRATCH)
    return needed


def _of(request: Recorded) -> list[Right]:
    query = parse_qs(urlsplit(request.target).query, keep_blank_values=True)
    found = []
    for thing in in_request("s3", request):
        if thing.what == "prefix":
            found.append(Right("s3:ListBucket", "", (("s3:prefix", thing.name),)))
        elif thing.what == "bucket":
            assert "lifecycle" in query, request.target
            found.append(Right("s3:GetLifecycleConfiguration", ""))
        elif "tagging" in query:
            found.append(Right("s3:GetObjectTagging", thing.name))
        elif request.method == "PUT":
            found.append(Right("s3:PutObject", thing.name, _encryption(request)))
            tagging = request.header("x-amz-tagging")
            if tagging is not None:
                found.append(Right("s3:PutObjectTagging", thing.name, _tags(tagging)))
        else:
            action = "s3:GetObject" if request.method in {"GET", "HEAD"} else "s3:DeleteObject"
            found.append(Right(action, thing.name))
    return found


def _encryption(request: Recorded) -> tuple[tuple[str, str], ...]:
    names = [f"x-amz-server-side-encryption{end}" for end in ("", "-aws-kms-key-id")]
    found = ((f"s3:{name}", request.header(name)) for name in names)
    return tuple((name, value) for name, value in found if value is not None)


def _tags(tagging: str) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    tags = parse_qsl(tagging, keep_blank_values=True)
    return (
        ("s3:RequestObjectTagKeys", tuple(key for key, _ in tags)),
        *((f"s3:RequestObjectTag/{key}", value) for key, value in tags),
    )

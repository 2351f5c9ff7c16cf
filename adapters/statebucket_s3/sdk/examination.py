"""Asks S3 about a bucket and STS about the caller, for ``statebucket doctor``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from statebucket.errors import StateBucketError
from statebucket_s3.findings import FOREIGN_REPLY, PATIENCE, Replies, findings_of, refusal
from statebucket_s3.partitions import is_foreign
from statebucket_s3.sdk.unredirected import UnredirectedSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from statebucket.port.findings import Finding
    from statebucket_s3.sdk.options import S3Options

_ONCE = {"total_max_attempts": 1}


async def examine(
    client: Any,  # noqa: ANN401  (the SDK makes its classes at run time)
    session: Any,  # noqa: ANN401
    options: S3Options,
    bucket: str,
) -> Sequence[Finding]:
    """Checks identity, versioning, public access, excess rights and the clock: 5 requests.

    Args:
        client: An S3 client.
        session: The session that made it.
        options: The store's options.
        bucket: The bucket's name.
    """
    caller, versioning, public, buckets, policy = await asyncio.gather(
        _answer(_caller(session, options, client.meta.region_name)),
        _answer(client.get_bucket_versioning(Bucket=bucket)),
        _answer(client.get_public_access_block(Bucket=bucket)),
        _answer(client.list_buckets()),
        _answer(client.get_bucket_policy(Bucket=bucket)),
    )
    date = versioning.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return findings_of(bucket, Replies(caller, versioning, public, buckets, policy, date))


async def _caller(session: Any, options: S3Options, region: str) -> dict[str, Any]:  # noqa: ANN401
    """The caller's identity according to STS: AWS's, or that of a compatible service."""
    create = session.create_client if hasattr(session, "create_client") else session.client
    config = AioConfig(
        connect_timeout=PATIENCE,
        read_timeout=PATIENCE,
        retries=_ONCE,
        http_session_cls=UnredirectedSession,
    )
    async with create(
        "sts",
        region_name=region,
        endpoint_url=options.endpoint_url if is_foreign(options.endpoint_url) else None,
        config=config,
    ) as sts:
        reply: dict[str, Any] = await sts.get_caller_identity()
        return reply


async def _answer(request: Awaitable[Any]) -> dict[str, Any]:
    """The reply, or that of the error; either has the headers. No reply is an error here.

    A service other than S3 may reply anything to a request that it does not know, and the SDK
    raises what its parser raises.
    """
    try:
        reply: dict[str, Any] = await request
    except ClientError as error:
        return dict(error.response)
    except StateBucketError:  # of our check of its reply
        return FOREIGN_REPLY
    except Exception as error:  # noqa: BLE001  (as above)
        return refusal(type(error).__name__)
    return reply

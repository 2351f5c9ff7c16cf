"""What only S3's own API tells of a bucket and of who asks, for ``statebucket doctor``."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from statebucket.doctor.clock import clock_finding
from statebucket.doctor.findings import MODULES, Finding

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from statebucket_s3.options import S3Options

_PATIENCE = 3.0  # seconds for STS, which need not be there
_ONCE = {"total_max_attempts": 1}
_MODULE = f'module "state"  # {MODULES["s3"]}'
_RUNTIME = f"policy = module.state.runtime_policy_json  # {MODULES['s3']}"


async def examine(
    client: Any,  # noqa: ANN401  (the SDK makes its classes at run time)
    session: Any,  # noqa: ANN401
    options: S3Options,
    bucket: str,
) -> Sequence[Finding]:
    """Looks at identity, versioning, public access, excess rights and the clock: 5 requests.

    Args:
        client: An S3 client.
        session: What made it.
        options: The store's options.
        bucket: The bucket's name.
    """
    who, versioning, public, buckets, policy = await asyncio.gather(
        _caller(session, options, client.meta.region_name),
        _answer(client.get_bucket_versioning(Bucket=bucket)),
        _answer(client.get_public_access_block(Bucket=bucket)),
        _answer(client.list_buckets()),
        _answer(client.get_bucket_policy(Bucket=bucket)),
    )
    found = [_identity(who), _versions(versioning), _public(public)]
    if "Buckets" in buckets:
        found.append(_excess("s3:ListAllMyBuckets: it can list the account's buckets"))
    if "Policy" in policy or _code(policy) == "NoSuchBucketPolicy":
        found.append(_excess("s3:GetBucketPolicy: it can read the bucket's policy"))
    found.append(_out_of_sight(str(who.get("Arn", "")), bucket))
    headers = versioning.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    found.append(clock_finding(headers.get("date")))
    return found


async def _caller(session: Any, options: S3Options, region: str) -> dict[str, Any]:  # noqa: ANN401
    """Who asks, as STS says: that of AWS, or of the service that stands in for it."""
    foreign = options.endpoint_url is not None and "amazonaws.com" not in options.endpoint_url
    create = session.create_client if hasattr(session, "create_client") else session.client
    config = AioConfig(connect_timeout=_PATIENCE, read_timeout=_PATIENCE, retries=_ONCE)
    async with create(
        "sts",
        region_name=region,
        endpoint_url=options.endpoint_url if foreign else None,
        config=config,
    ) as sts:
        return await _answer(sts.get_caller_identity())


async def _answer(request: Awaitable[Any]) -> dict[str, Any]:
    """The reply, or the error's; either has the headers."""
    try:
        reply: dict[str, Any] = await request
    except ClientError as error:
        return dict(error.response)
    except BotoCoreError as error:
        return {"Error": {"Code": type(error).__name__}}
    return reply


def _code(reply: Mapping[str, Any]) -> str:
    return str(reply.get("Error", {}).get("Code", ""))


def _identity(reply: Mapping[str, Any]) -> Finding:
    arn = str(reply.get("Arn", ""))
    if not arn:
        return Finding(
            check="identity", status="unknown", message=f"STS does not tell it: {_code(reply)}"
        )
    if arn.endswith(":root"):
        return Finding(
            check="identity",
            status="warning",
            message=f"{arn}: the account's root user, whom no policy limits",
            remedy=f"use a role with {_RUNTIME}",
        )
    return Finding(check="identity", status="ok", message=arn)


def _out_of_sight(arn: str, bucket: str) -> Finding:
    """What nobody can find out through S3 without doing it."""
    # What STS calls a role's session, IAM knows by the role.
    session = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    source = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else arn
    partition = arn.split(":")[1] if arn.startswith("arn:") else "aws"
    return Finding(
        check="rights",
        status="note",
        message="S3 does not tell whether it may delete the bucket or change its policy or rules; "
        "IAM does",
        remedy=f"aws iam simulate-principal-policy --policy-source-arn {source or '…'} "
        "--action-names s3:DeleteBucket s3:PutBucketPolicy s3:PutLifecycleConfiguration "
        f"--resource-arns arn:{partition}:s3:::{bucket}",
    )


def _versions(reply: Mapping[str, Any]) -> Finding:
    if error := _code(reply):
        return Finding(
            check="versions",
            status="unknown",
            message=f"versioning is not to be seen ({error})",
            remedy=f"policy = module.state.read_only_policy_json  # {MODULES['s3']}",
        )
    status = reply.get("Status", "Disabled")
    if status == "Disabled":
        return Finding(
            check="versions", status="ok", message="versioning is off: a save costs one object"
        )
    kept = "every save" if status == "Enabled" else "what was saved before versioning was suspended"
    return Finding(
        check="versions",
        status="note",
        message=f"versioning is {status.lower()}: {kept} is kept, and billed, until a rule "
        "removes noncurrent versions",
        remedy=f"versioning = false, or a small noncurrent_days, in {_MODULE}",
    )


def _public(reply: Mapping[str, Any]) -> Finding:
    settings = reply.get("PublicAccessBlockConfiguration", {})
    if settings and all(settings.values()):
        return Finding(check="public", status="ok", message="public access is blocked")
    if _code(reply) not in {"", "NoSuchPublicAccessBlockConfiguration"}:
        return Finding(
            check="public",
            status="unknown",
            message=f"the block of public access is not to be seen ({_code(reply)})",
            remedy=f"policy = module.state.read_only_policy_json  # {MODULES['s3']}",
        )
    return Finding(
        check="public",
        status="warning",
        message="the bucket itself does not block public access",
        remedy=_MODULE,
    )


def _excess(message: str) -> Finding:
    return Finding(
        check="rights", status="warning", message=f"not needed: {message}", remedy=_RUNTIME
    )

"""Asks S3 about a bucket and STS about the caller, for ``statebucket doctor``."""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from statebucket.errors import StateBucketError
from statebucket_http.transport import Transport
from statebucket_http.wire import Request
from statebucket_s3.findings import FOREIGN_REPLY, PATIENCE, Replies, findings_of, refusal
from statebucket_s3.http.endpoints import account_of, sts_of
from statebucket_s3.http.replies import answer_of
from statebucket_s3.http.signing import S3Signer, Signer, timestamp
from statebucket_s3.http.xml_documents import parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket.port.findings import Finding
    from statebucket_http.wire import Endpoint, Reply
    from statebucket_s3.http.settings import Settings
    from statebucket_s3.http.signing import Credentials

_DEADLINE = 3 * PATIENCE  # a transport waits a third of it for a reply
_CALLER = Request("GET", "", "Action=GetCallerIdentity&Version=2011-06-15")
_BUCKETS = Request("GET", "")


async def examine(
    bucket: str,
    settings: Settings,
    credentials: Credentials,
    origin: str,
    send: Callable[[Request], Awaitable[Reply]],
) -> Sequence[Finding]:
    """Checks identity, versioning, public access, excess rights and the clock: 5 requests.

    Args:
        bucket: The bucket's name.
        settings: Region, endpoint and trust.
        credentials: What signs requests to the account.
        origin: Where they come from.
        send: Sends a request to the bucket.
    """
    account, sts = account_of(settings), sts_of(settings)
    listing = S3Signer().headers(account, _BUCKETS, credentials)
    asking = sts_headers(sts, credentials, timestamp(time.time()))
    who, versioning, public, buckets, policy = await asyncio.gather(
        _reply(_elsewhere(sts, _CALLER, asking, settings)),
        _reply(send(Request("GET", "", "versioning="))),
        _reply(send(Request("GET", "", "publicAccessBlock="))),
        _reply(_elsewhere(account, _BUCKETS, listing, settings)),
        _reply(send(Request("GET", "", "policy="))),
    )
    replies = Replies(
        caller=_caller(_answer(who, "GetCallerIdentityResponse")),
        versioning=_answer(versioning, "VersioningConfiguration", "GetBucketVersioningResponse"),
        public=_public(_answer(public, "PublicAccessBlockConfiguration")),
        buckets=_answer(buckets, "ListAllMyBucketsResult"),
        policy=_policy(policy),
        date=None if isinstance(versioning, StateBucketError) else versioning.headers.get("date"),
        origin=origin,
    )
    return findings_of(bucket, replies)


def sts_headers(endpoint: Endpoint, credentials: Credentials, moment: str) -> dict[str, str]:
    """All headers of the request that asks STS for the caller's identity.

    Args:
        endpoint: STS's.
        credentials: The key to sign with.
        moment: When it is signed; see `statebucket_s3.http.signing.timestamp`.
    """
    headers = {"host": endpoint.host, "x-amz-date": moment}
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    headers["authorization"] = Signer("sts").authorization(
        credentials,
        endpoint.region,
        moment,
        method=_CALLER.method,
        path=endpoint.path,
        query=_CALLER.query,
        headers=headers,
        payload=sha256(b"").hexdigest(),
    )
    return headers


async def _elsewhere(
    endpoint: Endpoint, request: Request, headers: dict[str, str], settings: Settings
) -> Reply:
    """Sends a request to a host other than the bucket's, which may be unreachable."""
    transport = Transport(endpoint.host, _DEADLINE, settings.ca_bundle, 1)
    try:
        return await transport.send(endpoint, request, headers)
    finally:
        await transport.close()


async def _reply(sent: Awaitable[Reply]) -> Reply | StateBucketError:
    try:
        return await sent
    except StateBucketError as error:
        return error


def _answer(reply: Reply | StateBucketError, *roots: str) -> dict[str, Any]:
    """The reply in the SDK's form.

    Args:
        reply: The reply, or why there is none.
        roots: The root elements that a success may have.
    """
    if isinstance(reply, StateBucketError):
        return refusal(type(reply).__name__)
    wrong = answer_of(reply, _BUCKETS)
    if wrong is not None:
        return refusal(wrong.code)
    try:
        found, values = parse(reply.body)
    except ValueError:
        return refusal("not XML")
    if found not in roots:
        return FOREIGN_REPLY
    # A configuration that was never set is an empty element.
    return values if isinstance(values, dict) else {}


def _policy(reply: Reply | StateBucketError) -> dict[str, Any]:
    """The only reply that is not XML."""
    if isinstance(reply, StateBucketError):
        return refusal(type(reply).__name__)
    wrong = answer_of(reply, _BUCKETS)
    return refusal(wrong.code) if wrong is not None else {"Policy": reply.body}


def _caller(answer: dict[str, Any]) -> dict[str, Any]:
    result = answer.get("GetCallerIdentityResult")
    return result if isinstance(result, dict) else answer


def _public(answer: dict[str, Any]) -> dict[str, Any]:
    """The settings in the SDK's form: True or False."""
    if "Error" in answer:
        return answer
    settings = {setting: value == "true" for setting, value in answer.items()}
    return {"PublicAccessBlockConfiguration": settings}

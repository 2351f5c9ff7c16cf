"""Asks S3 of a bucket and STS of who asks, for ``statebucket doctor``."""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from statebucket.errors import StateBucketError
from statebucket_http.transport import Transport
from statebucket_http.wire import Request
from statebucket_http.xml_documents import parse
from statebucket_s3.findings import PATIENCE, Replies, findings_of
from statebucket_s3.http.endpoints import account_of, sts_of
from statebucket_s3.http.replies import answer_of
from statebucket_s3.http.requests import S3Signer
from statebucket_s3.http.sigv4 import Signer, timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket.port.findings import Finding
    from statebucket_http.wire import Endpoint, Reply
    from statebucket_s3.http.settings import Settings
    from statebucket_s3.http.sigv4 import Credentials

_DEADLINE = 3 * PATIENCE  # a transport waits a third of it for an answer
_CALLER = Request("GET", "", "Action=GetCallerIdentity&Version=2011-06-15")
_BUCKETS = Request("GET", "")


async def examine(
    bucket: str,
    settings: Settings,
    credentials: Credentials,
    send: Callable[[Request], Awaitable[Reply]],
) -> Sequence[Finding]:
    """Looks at identity, versioning, public access, excess rights and the clock: 5 requests.

    Args:
        bucket: The bucket's name.
        settings: Region, endpoint and trust.
        credentials: What signs requests to the account.
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
        caller=_caller(_answer(who)),
        versioning=_answer(versioning),
        public=_public(_answer(public)),
        buckets=_answer(buckets),
        policy=_answer(policy, "Policy"),
        date=None if isinstance(versioning, StateBucketError) else versioning.headers.get("date"),
    )
    return findings_of(bucket, replies)


def sts_headers(endpoint: Endpoint, credentials: Credentials, moment: str) -> dict[str, str]:
    """All headers of the request that asks STS who sends it.

    Args:
        endpoint: STS's.
        credentials: The key to sign with.
        moment: When it is signed; see `statebucket_s3.http.sigv4.timestamp`.
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
    """Sends a request to another host than the bucket's, which may be out of reach."""
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


def _answer(reply: Reply | StateBucketError, whole: str | None = None) -> dict[str, Any]:
    """What was answered, as the SDK has it.

    Args:
        reply: The reply, or why there is none.
        whole: What the body is called where it is no XML.
    """
    if isinstance(reply, StateBucketError):
        return _error(type(reply).__name__)
    wrong = answer_of(reply, _BUCKETS)
    if wrong is not None:
        return _error(wrong.code)
    if whole is not None:
        return {whole: reply.body}
    try:
        root, values = parse(reply.body)
    except ValueError:
        return _error("not XML")
    # A configuration that was never made is an empty element.
    inner = values if isinstance(values, dict) else {}
    return {root: inner} if root == "PublicAccessBlockConfiguration" else inner


def _error(code: str) -> dict[str, Any]:
    return {"Error": {"Code": code}}


def _caller(answer: dict[str, Any]) -> dict[str, Any]:
    result = answer.get("GetCallerIdentityResult")
    return result if isinstance(result, dict) else answer


def _public(answer: dict[str, Any]) -> dict[str, Any]:
    """Its settings as the SDK has them: True or False."""
    return {
        name: {setting: value == "true" for setting, value in values.items()}
        if name == "PublicAccessBlockConfiguration"
        else values
        for name, values in answer.items()
    }

"""The S3 client: one per event loop, set up to send each request exactly once."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import md5
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from botocore.handlers import add_expect_header

from statebucket.errors import InvalidInput, InvalidURL
from statebucket.port.endpoint import require_tls
from statebucket.port.url import check_endpoint
from statebucket_s3.codes import region_in, unreadable
from statebucket_s3.sdk.sending import SendOnce

if TYPE_CHECKING:
    from types import TracebackType

    from statebucket_s3.sdk.options import S3Options
    from statebucket_s3.sdk.session import OwnSession

_OK = range(200, 300)
_DOCUMENTS = {  # what the root element of each success may be; nothing if it has no body
    "DeleteBucketLifecycle": (),
    "DeleteObject": (),
    "DeleteObjects": (b"DeleteResult",),
    "GetBucketLifecycleConfiguration": (b"LifecycleConfiguration",),
    "GetBucketVersioning": (b"VersioningConfiguration", b"GetBucketVersioningResponse"),
    "GetPublicAccessBlock": (b"PublicAccessBlockConfiguration",),
    "ListBuckets": (b"ListAllMyBucketsResult",),
    "ListObjectsV2": (b"ListBucketResult",),
    "PutBucketLifecycleConfiguration": (),
}
_LAST_PAGE = re.compile(rb"<(?:\w+:)?IsTruncated>false</")
_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*<(?:\w+:)?(\w+)")


class Connection:
    """A context manager that opens a client and closes it.

    A class, not an async generator: see `statebucket.port.loops.ClientPerLoop`.

    Args:
        own: The session with the credentials and settings to use.
        options: The store's options.
        idle: Seconds without a byte after which a connection counts as lost.
        pool: The most connections.
    """

    def __init__(self, own: OwnSession, options: S3Options, idle: float, pool: int) -> None:
        self._insecure = options.insecure_endpoint
        config = AioConfig(
            connect_timeout=idle,
            read_timeout=idle,
            max_pool_connections=pool,
            # The core retries, and must know of every request.
            retries={"total_max_attempts": 1, "mode": "standard"},
            http_session_cls=SendOnce,
            s3={"addressing_style": options.addressing_style},
            user_agent=own.user_agent,
            user_agent_extra="statebucket",
        )
        session = own.session
        create = session.create_client if hasattr(session, "create_client") else session.client
        self._context = create(
            "s3", region_name=options.region, endpoint_url=options.endpoint_url, config=config
        )

    async def __aenter__(self) -> Any:  # noqa: ANN401  (botocore makes the class at run time)
        """Opens the client.

        Raises:
            InvalidURL: The endpoint contains a user or password, or has no scheme.
            InvalidArgument: It is another machine over plain HTTP.
        """
        try:
            client = await self._context.__aenter__()
        except ValueError as error:
            if not str(error).startswith("Invalid endpoint"):
                raise
            # The endpoint comes from the environment or AWS's configuration, since the option was
            # checked. The error is not chained: it shows the URL, which may contain a password.
            raise InvalidURL(
                "AWS_ENDPOINT_URL, or endpoint_url in AWS's configuration, must be a URL and begin "
                "with http:// or https://"
            ) from None
        try:
            # The endpoint may come from the environment or AWS's configuration, not checked so far.
            check_endpoint(client.meta.endpoint_url)
            require_tls(client.meta.endpoint_url, insecure=self._insecure)
        except InvalidInput:
            await self._context.__aexit__(None, None, None)
            raise
        # ``Expect: 100-continue`` costs each write a round trip (measured: 12.1 → 7.1 ms at 5 ms).
        client.meta.events.unregister("before-call.s3", add_expect_header)
        client.meta.events.register("before-call.s3.HeadBucket", _no_region)
        client.meta.events.register_first("needs-retry.s3", _name_region)
        client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
        for operation in _DOCUMENTS:
            client.meta.events.register(f"after-call.s3.{operation}", _check_document)
        return client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._context.__aexit__(kind, error, trace)


def _no_region(**_: Any) -> Any:  # noqa: ANN401  (what botocore takes for a reply)
    """Answers the SDK in place of the service when it asks for a bucket's region.

    The SDK asks after a HEAD that is refused without a reason. We send a GET instead, whose
    reply gives the reason; see `statebucket_s3.heads`.
    """
    return SimpleNamespace(status_code=200), {"ResponseMetadata": {"HTTPHeaders": {}}}


def _name_region(response: Any, **_: object) -> None:  # noqa: ANN401  (the SDK's)
    """Puts the region that an error names in its text where the SDK looks for it."""
    error = {} if response is None else response[1].get("Error", {})
    region = region_in(str(error.get("Code")), str(error.get("Message")))
    if region is not None:
        error.setdefault("Region", region)


def _add_md5(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Adds the MD5 of a batch delete's body to the SDK's CRC-32.

    S3 takes either. Services that know no other checksum (Swift) refuse the request without it.
    S3's directory buckets do not support MD5, and do not get it.
    """
    if context.get("endpoint_properties", {}).get("backend") != "S3Express":
        digest = md5(params["body"], usedforsecurity=False).digest()
        params["headers"]["Content-MD5"] = b64encode(digest).decode()


async def _check_document(http_response: Any, parsed: Any, model: Any, **_: object) -> None:  # noqa: ANN401
    """Refuses a successful reply with a body that is not the operation's.

    The SDK reads any XML: it would take another service's page for a batch without failures, or for
    a bucket without rules. A page of a listing that does not say whether more follows it would take
    for the last. It runs this hook for error replies too, before it raises what they say.
    """
    if http_response.status_code not in _OK:
        return
    body = await http_response.content
    roots = _DOCUMENTS[model.name]
    found = _ROOT.match(body)
    if (found is None or found[1] not in roots) if roots else body:
        raise unreadable()
    if model.name == "ListObjectsV2":
        truncated = parsed.get("IsTruncated")  # false for all that is not "true"
        if truncated is None or not (truncated or _LAST_PAGE.search(body)):
            raise unreadable()

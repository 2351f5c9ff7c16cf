"""The S3 client: one for each event loop, set up to send each request once and without detours."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from contextlib import AsyncExitStack
from functools import cache
from hashlib import md5
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.exceptions import EndpointConnectionError, HTTPClientError
from botocore.handlers import add_expect_header
from botocore.httpsession import create_urllib3_context, get_cert_path

from statebucket.errors import InvalidArgument
from statebucket.port.loops import PerLoop
from statebucket_s3.codes import unreadable
from statebucket_s3.sdk.loader import quick_loader
from statebucket_s3.sdk.translate import unusable

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from statebucket_s3.sdk.options import S3Options


_KEYS = ("Authorization", "X-Amz-Security-Token")  # the headers that show a key or token
_OK = range(200, 300)
_DOCUMENTS = {  # the root element of each success; None where it has no body
    "DeleteObject": None,
    "DeleteObjects": b"DeleteResult",
    "GetBucketLifecycleConfiguration": b"LifecycleConfiguration",
    "ListObjectsV2": b"ListBucketResult",
    "PutBucketLifecycleConfiguration": None,
}
_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*<(?:\w+:)?(\w+)")
_RENEW_SECONDS = 15.0  # by then the SDK has closed what was idle


class Connection:
    """A context manager that opens a client and closes it.

    A class, not an async generator: see `statebucket.port.loops.ClientPerLoop`.

    Args:
        session: The session whose credentials and settings to use.
        options: The store's options.
        idle: Seconds without a sign of life after which a connection counts as lost.
        pool: The most connections.
    """

    def __init__(self, session: Any, options: S3Options, idle: float, pool: int) -> None:  # noqa: ANN401
        config = AioConfig(
            connect_timeout=idle,
            read_timeout=idle,
            max_pool_connections=pool,
            # The core retries, and must know of each request that is sent.
            retries={"total_max_attempts": 1, "mode": "standard"},
            http_session_cls=_SendOnce,
            s3={"addressing_style": options.addressing_style},
            user_agent=None if options.session is not None else _user_agent(session),
            user_agent_extra="statebucket",
        )
        create = session.create_client if hasattr(session, "create_client") else session.client
        self._context = create(
            "s3", region_name=options.region, endpoint_url=options.endpoint_url, config=config
        )

    async def __aenter__(self) -> Any:  # noqa: ANN401  (botocore makes the class at run time)
        client = await self._context.__aenter__()
        # ``Expect: 100-continue`` costs each write a round trip (measured: 12.1 → 7.1 ms at 5 ms).
        client.meta.events.unregister("before-call.s3", add_expect_header)
        client.meta.events.register("before-call.s3.HeadBucket", _no_region)
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
    """Answers the SDK in the service's stead when it asks which region a bucket is in.

    It does so when a HEAD is answered 400, which mostly says that a token has expired. A request
    to the wrong region is answered with the right one, and then the SDK sends it there.
    """
    return SimpleNamespace(status_code=200), {"ResponseMetadata": {"HTTPHeaders": {}}}


def _add_md5(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Adds the MD5 of a batch delete's body, beside the SDK's CRC-32.

    S3 takes either. Services that know no other checksum (Swift) refuse the request without it, and
    S3's directory buckets, which know no MD5, do not get it.
    """
    if context.get("endpoint_properties", {}).get("backend") != "S3Express":
        digest = md5(params["body"], usedforsecurity=False).digest()
        params["headers"]["Content-MD5"] = b64encode(digest).decode()


async def _check_document(http_response: Any, model: Any, **_: object) -> None:  # noqa: ANN401
    """Refuses a success whose body is not the operation's.

    The SDK reads any XML: it would take another service's page for a batch without failures, or for
    a bucket without rules. It runs this hook for error replies too, before it raises what they say.
    """
    if http_response.status_code not in _OK:
        return
    body = await http_response.content
    root = _DOCUMENTS[model.name]
    found = _ROOT.match(body)
    if body if root is None else found is None or found[1] != root:
        raise unreadable()


class _Session(AioSession):
    """The SDK's session, whose credentials may be renewed in any event loop.

    The SDK guards their renewal with one `asyncio.Lock`, which belongs to the first loop in which a
    call waits for it; in every later one such a call would fail.
    """

    async def get_credentials(self) -> Any:  # noqa: ANN401  (the SDK has many kinds)
        """The credentials of the SDK's chain; None where there are none."""
        credentials = await super().get_credentials()
        if isinstance(getattr(credentials, "_refresh_lock", None), asyncio.Lock):
            credentials._refresh_lock = _LockPerLoop()  # noqa: SLF001  (there is no other way)
        return credentials


class _LockPerLoop:
    """What the SDK asks of its lock, with one for each event loop."""

    def __init__(self) -> None:
        self._locks = PerLoop(asyncio.Lock)

    def locked(self) -> bool:
        return self._locks.get().locked()

    async def __aenter__(self) -> None:
        await self._locks.get().acquire()

    async def __aexit__(self, *_: object) -> None:
        self._locks.get().release()


def own_session() -> AioSession:
    """A session of our own, with the SDK's credential chain and data paths.

    It is aiobotocore's, which aioboto3's wraps: to import boto3 too would add a fifth to a cold
    start.
    """
    session = _Session()
    session.register_component("data_loader", quick_loader())
    # Nobody reads the dates; parsing one costs 10% of a GET, and of each entry of a listing.
    session.get_component("response_parser_factory").set_parser_defaults(
        timestamp_parser=lambda text: text
    )
    return session


def _user_agent(session: AioSession) -> str | None:
    """What the SDK calls itself, once: it would put it together twice for each request (10%).

    None where the user has given an application id, whose form is the SDK's to see to.
    """
    name: str = session.user_agent()
    return None if session.get_config_variable("user_agent_appid") else name


class _SendOnce(AIOHTTPSession):
    """The SDK's HTTP session, without aiohttp's own replay of requests.

    aiohttp sends an idempotent request again, unseen, when a kept connection turns out to be dead.
    A write whose first reply was lost is then answered 412, with nothing to tell that from a lost
    race. aiohttp has no public switch for it.
    """

    _renewed = 0.0
    _exit_stack: AsyncExitStack

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  (the SDK's)
        super().__init__(*args, **options)
        self._retired: list[tuple[AsyncExitStack, list[aiohttp.ClientSession]]] = []

    async def send(self, request: Any) -> Any:  # noqa: ANN401  (the SDK's)
        """Sends a request; if it is lost or cut off, idle connections are not used any more.

        A process that was frozen wakes up to connections on which nobody answers. They are not
        tried one after the other, each until its time-out: what comes next goes through a new
        session. The old one is closed once its last request has ended. A caller's deadline may cut
        a try off long before the time-out: then nobody knows, and they count as dead too.

        Raises:
            InvalidCredentials: The key or token holds what no header does; nothing was sent.
        """
        for name in _KEYS:
            value = request.headers.get(name, "")
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if not (text.isascii() and text.isprintable()):
                raise unusable()
        try:
            return await super().send(request)
        except (
            HTTPClientError,
            EndpointConnectionError,  # for a reset, too
            asyncio.CancelledError,
        ):
            now = asyncio.get_running_loop().time()
            if now - self._renewed > _RENEW_SECONDS:
                self._renewed = now
                self._retired += [(self._exit_stack, [*self._sessions.values()])]
                self._exit_stack = AsyncExitStack()
                self._sessions.clear()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes all sessions."""
        while self._retired:
            await self._retired.pop()[0].aclose()
        await super().__aexit__(kind, error, trace)

    async def _close_retired(self) -> None:
        """Closes the sessions that are not used any more and have nothing in flight."""
        for one in list(self._retired):
            stack, sessions = one
            # aiohttp has no public way to tell.
            busy = any(getattr(session.connector, "_acquired", True) for session in sessions)
            if one in self._retired and not busy:
                self._retired.remove(one)
                await stack.aclose()

    def _create_connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        if not self._verify or proxy_url or self._cert_file:
            connector: aiohttp.TCPConnector = super()._create_connector(proxy_url)
            return connector
        return aiohttp.TCPConnector(
            limit=self._max_pool_connections,
            ssl=_shared_context(get_cert_path(self._verify)),
            **self._connector_args,
        )

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        if self._retired:
            await self._close_retired()
        session: aiohttp.ClientSession = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001  (see above)
        return session


@cache
def _shared_context(ca_file: str | None) -> ssl.SSLContext:
    """The TLS context of all connections: reading the CA bundle costs 19 ms for each new one.

    Raises:
        InvalidArgument: The bundle cannot be read.
    """
    context: ssl.SSLContext = create_urllib3_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise InvalidArgument(f"the CA bundle {ca_file!r} cannot be read") from error
    return context

"""The transport of the SDK's clients."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from contextvars import ContextVar
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.resolver import ThreadedResolver
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse

from statebucket.errors import InvalidCredentials, Unavailable
from statebucket.port.endpoint import proxy_for
from statebucket.port.threads import Lookups
from statebucket_azure.codes import ERRORS, READS, malformed
from statebucket_azure.sdk.errors import connection_failure, failure_of

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from azure.core.pipeline import PipelineRequest, PipelineResponse

_OK = 200
_KEPT_PROXIES = 32  # endpoints and token services
_PROXY_AUTHORIZATION = "Proxy-Authorization"
_LARGE_BODY = 2**20  # above it, aiohttp warns of a body that it would write in one go
_ENDS = ("Content-Length", "Transfer-Encoding", "Content-MD5")  # any shows a truncated body
_REQUEST_ID = "x-ms-client-request-id"  # the service repeats it in its response


class Transport(AioHttpTransport):  # type: ignore[misc]  # loaded lazily: no type
    """The SDK's transport, on our own sessions.

    It reads replies whole, because the SDK would repeat a download whose body breaks off while it
    is read later.

    After a process was frozen, its connections are dead. Once one has failed, the others are not
    tried one after the other, each until its time-out: later requests use a new session. The old
    one is closed when its last request has ended. A request that is cut off at its caller's
    deadline, long before a time-out, may have been on a dead connection, too.

    Args:
        connections: The most connections of a session.
        idle: Seconds without a byte after which a connection counts as lost.
    """

    session: aiohttp.ClientSession

    def __init__(self, connections: int, idle: float) -> None:
        # aiohttp would look up a proxy in a thread on each request, and read ~/.netrc.
        self._proxy = lru_cache(_KEPT_PROXIES)(proxy_for)
        self._connections = connections
        self._closed = False
        self._in_flight: Counter[aiohttp.ClientSession] = Counter()
        super().__init__(
            session=self._new_session(),
            session_owner=False,
            use_env_settings=False,
            connection_timeout=idle,
            read_timeout=idle,
        )

    async def send(self, request: Any, **config: Any) -> Any:  # noqa: ANN401  (of two kinds each)
        """Sends a request and reads the reply whole.

        Raises:
            InvalidArgument: The environment names a proxy that is not one; nothing was sent.
            InvalidCredentials: The account's name or the token has a character that no header can
                have; nothing was sent.
        """
        authorization = request.headers.get("Authorization", "")
        if not (authorization.isascii() and authorization.isprintable()):
            raise InvalidCredentials(
                "the account's name or the access token contains a line break or another invalid "
                "character"
            )
        self._through_proxy(request, config)
        if self.session.closed:  # by `close`, while a call is in flight
            self.session = self._new_session()
        session = self.session
        self._in_flight[session] += 1
        try:
            reply = await super().send(request, **config)
            if isinstance(reply, AsyncHttpResponse) and not reply.is_stream_consumed:
                await reply.read()
        except (AzureError, asyncio.CancelledError):
            if session is self.session and not self._closed:
                self.session = self._new_session()
            raise
        finally:
            self._in_flight[session] -= 1
            unused = self._closed or session is not self.session
            if unused and not self._in_flight[session]:
                del self._in_flight[session]
                await session.close()
        return reply

    async def close(self) -> None:
        """Closes all sessions; those with calls in flight are closed with the last of these."""
        self._closed = True
        async with AsyncExitStack() as stack:  # all, even if the caller is cancelled meanwhile
            for session in {self.session, *self._in_flight}:
                stack.push_async_callback(session.close)

    def _through_proxy(self, request: Any, config: dict[str, Any]) -> None:  # noqa: ANN401
        """Adds the environment's proxy to a request, with the password separate from the URL."""
        url = urlsplit(request.url)
        proxy = self._proxy(f"{url.scheme}://{url.netloc}")
        if proxy is None:
            return
        config["proxy"] = proxy.url
        if proxy.authorization is None:
            return
        if url.scheme == "https":
            config["proxy_headers"] = {_PROXY_AUTHORIZATION: proxy.authorization}
        else:
            request.headers[_PROXY_AUTHORIZATION] = proxy.authorization

    def _new_session(self) -> aiohttp.ClientSession:
        resolver = ThreadedResolver(Lookups())  # type: ignore[arg-type]  # it looks up only
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            request_class=_Request,
            trust_env=False,
        )
        # aiohttp silently repeats an idempotent request on a dropped connection, and has no
        # other switch for that: a reply to the repetition does not answer our request.
        session._retry_connection = False  # noqa: SLF001
        return session


class _Request(aiohttp.ClientRequest):
    """Records when sending a request begins, once it has a connection."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Sends it."""
        if sending := _sending.get(None):
            sending.started = True
        return await super().send(conn)


class _Sending:
    """Whether a request may have reached the service."""

    # If aiohttp sends in another way, nothing is known, and every request may have been sent.
    started = not hasattr(aiohttp.ClientRequest, "send")


_sending: ContextVar[_Sending] = ContextVar("sending")


class SendOnce(AsyncHTTPPolicy[Any, Any]):
    """Replaces the SDK's retries, and sends each request once.

    A download is sent without the range that the SDK adds, and its reply is made to look like one
    for the range. So an empty blob takes one request instead of two, and a large one is read at a
    single version.
    """

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sends a request through the rest of the pipeline."""
        location_mode = request.context.options.pop("location_mode", None)
        # These are for the SDK's own retries; a pager's second page has the last one.
        request.context.options.pop("hosts", None)
        request.context.options.pop("retry_to_secondary", None)
        sent = request.http_request
        whole = sent.method == "GET" and sent.headers.pop("x-ms-range", None) is not None
        if isinstance(sent.data, bytes) and len(sent.data) > _LARGE_BODY:
            # Written in parts, and from the start again if the token is refreshed.
            sent.data = aiohttp.BytesIOPayload(BytesIO(sent.data))
        response = await self._once(request)
        reply = response.http_response
        if reply.status_code >= ERRORS:
            # Before the SDK, which raises a TypeError for an error without a message.
            raise failure_of(reply)
        if whole:
            if reply.status_code != _OK:
                raise malformed(f"status {reply.status_code} for a whole blob")
            if not any(name in reply.headers for name in _ENDS):
                raise Unavailable("the body ended with the connection and may be truncated")
            size = len(reply.content)
            reply.headers["Content-Range"] = f"bytes 0-{size - 1}/{size}"
            if "Content-MD5" in reply.headers:
                reply.headers["x-ms-blob-content-md5"] = reply.headers["Content-MD5"]
        reply.location_mode = location_mode  # the SDK reads it
        return response

    async def _once(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        sent, sending = request.http_request, _Sending()
        before = _sending.set(sending)
        try:
            response = await self.next.send(request)
        except ClientAuthenticationError:  # from the credential
            raise
        except (AzureError, RuntimeError) as error:
            failure = connection_failure(
                error, sent.url, writes=sent.method not in READS, sent=sending.started
            )
        else:
            named = response.http_response.headers.get(_REQUEST_ID)
            if named is None or named.lower() == sent.headers.get(_REQUEST_ID, named).lower():
                return response
            failure = malformed("it answers another request", writes=sent.method not in READS)
        finally:
            _sending.reset(before)
        # Outside the handler, so that an error left out as the cause is not its context either.
        raise failure

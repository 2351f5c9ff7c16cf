"""Sends each request of the SDK once, over connections that verify their peer."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import EndpointConnectionError, HTTPClientError
from botocore.httpsession import create_urllib3_context, get_cert_path

from statebucket.errors import InvalidArgument, Unavailable
from statebucket.port.threads import Lookups
from statebucket_s3.sdk.errors import note_answer, unusable
from statebucket_s3.sdk.unredirected import NoProxyNearby, Unredirected

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

_KEYS = ("Authorization", "X-Amz-Security-Token")  # the headers that show a key or token
_RENEW_SECONDS = 15.0  # by then the SDK has closed idle connections
_PROXY_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name, or an IP address


class SendOnce(AIOHTTPSession):
    """The SDK's HTTP session, without aiohttp's own replay of requests.

    aiohttp silently sends an idempotent request again when a kept connection turns out to be dead.
    A write whose first reply was lost then gets a 412, which looks like a lost race. aiohttp has no
    public switch for it.
    """

    _renewed = 0.0
    _exit_stack: AsyncExitStack
    _proxy_config: Any

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  (the SDK's)
        super().__init__(*args, **options)
        self._proxy_config = NoProxyNearby(self._proxy_config)
        self._retired: list[tuple[AsyncExitStack, list[aiohttp.ClientSession]]] = []
        self._closed = False

    async def send(self, request: Any) -> Any:  # noqa: ANN401  (the SDK's)
        """Sends a request; if it is lost or cut off, idle connections are no longer used.

        After a process was frozen, its connections are dead. They are not tried one after the
        other, each until its time-out: later requests use a new session. The old one is closed once
        its last request has ended. If a caller's deadline cuts off a try long before the time-out,
        the connections' state is unclear, and they count as dead, too.

        Raises:
            InvalidCredentials: The key or token has a character that no header can have, and
                nothing was sent.
            InvalidArgument: The environment's proxy is not a valid URL; nothing was sent.
        """
        _check_proxy(self._proxy_config.proxy_url_for(request.url))
        for name in _KEYS:
            text = _text(request.headers.get(name, ""))
            if not (text.isascii() and text.isprintable()):
                raise unusable()
        try:
            reply = await super().send(request)
        except (
            HTTPClientError,
            EndpointConnectionError,  # for a reset, too
            asyncio.CancelledError,
        ):
            now = asyncio.get_running_loop().time()
            if now - self._renewed > _RENEW_SECONDS and not self._closed:
                self._renewed = now
                self._retired += [(self._exit_stack, [*self._sessions.values()])]
                self._exit_stack = AsyncExitStack()
                self._sessions.clear()
            raise
        note_answer()
        return reply

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes all sessions, even if the caller is cancelled meanwhile."""
        self._closed = True
        for stack, _ in self._retired:
            self._exit_stack.push_async_exit(stack)
        self._retired.clear()
        await super().__aexit__(kind, error, trace)

    async def _close_retired(self) -> None:
        """Closes the sessions that are no longer used and have nothing in flight."""
        for one in list(self._retired):
            stack, sessions = one
            # aiohttp has no public way to tell.
            busy = any(getattr(session.connector, "_acquired", True) for session in sessions)
            if one in self._retired and not busy:
                self._retired.remove(one)
                await stack.aclose()

    async def _get_session(self, proxy_url: str | None) -> Unredirected:
        """The HTTP session for requests through a proxy, or for direct ones.

        It is made here because the SDK's releases make it in different ways, and older ones do not
        check the host name in a certificate, or any certificate through a proxy.
        """
        if self._retired:
            await self._close_retired()
        if (
            self._closed
        ):  # by `shutdown`, while a call was about to send: no one would close another
            raise Unavailable("the store was shut down before the request was sent")
        session: aiohttp.ClientSession | None = self._sessions.get(proxy_url)
        if session is None:
            session = aiohttp.ClientSession(
                connector=self._connector(proxy_url),
                timeout=self._timeout,
                skip_auto_headers={"CONTENT-TYPE"},
                auto_decompress=False,
            )
            session._retry_connection = False  # noqa: SLF001  (see above)
            self._sessions[proxy_url] = session
            await self._exit_stack.enter_async_context(session)
        return Unredirected(session)

    def _connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        trust: ssl.SSLContext | bool = False
        if self._verify:
            proxy = self._proxy_config.settings if proxy_url else {}
            trust = _shared_context(
                _texts(get_cert_path(self._verify), proxy.get("proxy_ca_bundle")),
                _texts(self._cert_file, self._key_file) or _texts(proxy.get("proxy_client_cert")),
            )
        resolver = aiohttp.ThreadedResolver(Lookups())  # type: ignore[arg-type]  # it looks up only
        return aiohttp.TCPConnector(
            limit=self._max_pool_connections,
            ssl=trust,
            **{"resolver": resolver, **self._connector_args},
        )


def _text(value: str | bytes) -> str:
    """A header's value as text; some of the SDK's are bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _check_proxy(url: str | None) -> None:
    """Refuses an environment's proxy that is not a URL; the message hides it."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.port != 0 and parts.path in {"", "/"}
    except ValueError:
        valid = False
    if not valid or not _PROXY_HOST.fullmatch(parts.hostname or ""):
        raise InvalidArgument(
            "HTTPS_PROXY or HTTP_PROXY is not a valid proxy URL: it must be http://host:port or "
            "https://host:port, with user:password@ before the host where the proxy needs them, "
            "percent-encoded"
        )


def _texts(*values: Any) -> tuple[str, ...]:  # noqa: ANN401  (the SDK's: paths, pairs of them, None)
    found = (value if isinstance(value, tuple) else (value,) for value in values)
    return tuple(str(value) for values in found for value in values if value)


@cache
def _shared_context(bundles: tuple[str, ...], certificate: tuple[str, ...]) -> ssl.SSLContext:
    """The TLS context of all connections: reading the CA bundle costs 19 ms for each new one.

    Args:
        bundles: The PEM files of issuers to trust.
        certificate: The PEM file of a client certificate, and that of its key if it is separate.

    Raises:
        InvalidArgument: A file cannot be read.
    """
    context: ssl.SSLContext = create_urllib3_context()
    # The SDK's contexts leave checking the host name to urllib3, which is not used here.
    context.check_hostname = True
    for bundle in bundles:
        try:
            context.load_verify_locations(bundle)
        except OSError as error:
            raise InvalidArgument(f"the CA bundle {bundle!r} cannot be read") from error
    if certificate:
        try:
            context.load_cert_chain(*certificate)
        except OSError as error:
            raise InvalidArgument(
                f"the client certificate {certificate[0]!r} cannot be read"
            ) from error
    return context

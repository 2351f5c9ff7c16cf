"""The SDK's clients: where they lead, what they send through, and how they are kept and closed."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self
from urllib.request import getproxies

import aiohttp
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

from statebucket.errors import InvalidArgument, InvalidCredentials, InvalidURL
from statebucket_azure.options import CONNECTION_STRING
from statebucket_azure.sdk.translate import ERRORS, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from statebucket.port.bucket import Location
    from statebucket_azure.options import AzureOptions

_LARGEST_PUT = 5000 * 2**20  # the most that the service takes in one request
_LARGE_BODY = 2**20  # above it, aiohttp warns of a body that it would write at one go
_KEPT_CLIENTS = 256  # BlobClients; each takes 32 kB, and 0.1 ms to make


class Target:
    """A container and the credentials for it, settled without a request.

    Args:
        container: The container's name.
        options: The options.
        location: The store's URL, read.

    Raises:
        InvalidURL: There is no account, or two that differ.
        InvalidArgument: An option or the connection string is not what it may be.
        InvalidCredentials: There are no credentials to try.
    """

    def __init__(self, container: str, options: AzureOptions, location: Location) -> None:
        self.container = container
        self.max_in_flight = location.max_in_flight
        # Seconds without a byte: late enough for a slow service, early enough for another try.
        self.idle = location.deadline / 3
        self.client = None if options.client is None else _callers(options.client, container)
        self.credential = options.credential
        self.make_credential: Callable[[], Any] | None = None
        if self.client is not None:
            options.check_account(self.client.account_name, "the client")
            return
        secret = None if self.credential is not None else os.environ.get(CONNECTION_STRING)
        if secret and options.endpoint_url is not None:
            secret = f"{secret.rstrip(';')};BlobEndpoint={options.endpoint_url}"
        url = "" if secret else options.account_url()
        if not secret and self.credential is None:
            self.make_credential = _default_credential()
        if (self.make_credential or hasattr(self.credential, "get_token")) and not url.startswith(
            "https://"
        ):
            raise InvalidURL(
                "endpoint_url must be https:// with token credentials; "
                f"for an emulator set {CONNECTION_STRING}"
            )

        # A closure, so that no repr shows the secret.
        def connect(credential: Any, **how: Any) -> ContainerClient:  # noqa: ANN401
            if secret:
                return ContainerClient.from_connection_string(secret, container, **how)
            return ContainerClient(url, container, credential, **how)

        self.connect = connect
        try:
            named = connect(self.credential).account_name
        except (TypeError, ValueError):
            # Out of what the SDK says, which may quote a secret.
            raise InvalidArgument(
                f"{CONNECTION_STRING if secret else 'credential'} is not what the Azure SDK takes"
            ) from None
        if secret or named:  # hosts of one's own tell no account
            options.check_account(named, CONNECTION_STRING if secret else "endpoint_url")


def _default_credential() -> Callable[[], Any]:
    try:
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415  (slow to load)
    except ImportError:
        raise InvalidCredentials(
            f"no credentials for Azure: set {CONNECTION_STRING}, "
            "or pip install azure-identity for managed identities and the like"
        ) from None
    return DefaultAzureCredential


def _callers(client: object, container: str) -> ContainerClient:
    """The caller's own client, for the container."""
    if isinstance(client, BlobServiceClient):
        return client.get_container_client(container)
    if not isinstance(client, ContainerClient):
        raise InvalidArgument(
            "client must be a ContainerClient or BlobServiceClient of azure.storage.blob.aio, "
            f"not {type(client).__module__}.{type(client).__name__}"
        )
    if client.container_name != container:
        raise InvalidArgument(
            f"client is for container {client.container_name!r}, the URL for {container!r}"
        )
    return client


class Connection:
    """The clients of one event loop, an async context manager.

    Attributes:
        container: The container's client.
        blob: The client of a blob, by name; the last ones used are kept.
    """

    container: ContainerClient
    blob: Callable[[str], BlobClient]

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.container = self._target.client or await self._open(stack)
            self._stack = stack.pop_all()
        self.blob = lru_cache(_KEPT_CLIENTS)(self.container.get_blob_client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack) -> ContainerClient:
        target = self._target
        transport = Transport(target.max_in_flight, target.idle)
        stack.push_async_callback(transport.close)
        credential = target.credential
        if target.make_credential is not None:
            credential = await stack.enter_async_context(target.make_credential())
        return target.connect(
            credential,
            transport=transport,
            retry_policy=SendOnce(),
            permit_redirects=False,
            # Blocks staged by two writers of one blob mix, since the SDK numbers them alike.
            max_single_put_size=_LARGEST_PUT,
        )


class Transport(AioHttpTransport):  # type: ignore[misc]  # loaded lazily: no type
    """The SDK's transport, on sessions of our own.

    Replies are read whole in here, because the SDK repeats a download whose body breaks off when
    it is read later.

    A process that was frozen wakes up to connections on which nobody answers. Once one has failed,
    the others are not tried one after the other, each until its time-out: what comes next goes
    through a new session. The old one is closed when its last request has ended. A request that is
    cut off at its caller's deadline, long before a time-out, may have been on a dead one, too.

    Args:
        connections: The most connections of a session.
        idle: Seconds without a byte after which a connection counts as lost.
    """

    session: aiohttp.ClientSession

    def __init__(self, connections: int, idle: float) -> None:
        # aiohttp would look for a proxy in a thread at each request.
        self._proxied = not {"http", "https"}.isdisjoint(getproxies())
        self._connections = connections
        self._closed = False
        self._in_flight: Counter[aiohttp.ClientSession] = Counter()
        super().__init__(
            session=self._new_session(),
            session_owner=False,
            use_env_settings=self._proxied,
            connection_timeout=idle,
            read_timeout=idle,
        )

    async def send(self, request: Any, **config: Any) -> Any:  # noqa: ANN401  (of two kinds each)
        """Sends a request and reads the reply whole.

        Raises:
            InvalidCredentials: The account's name or the token holds what no header does; nothing
                was sent.
        """
        authorization = request.headers.get("Authorization", "")
        if not (authorization.isascii() and authorization.isprintable()):
            raise InvalidCredentials(
                "the account's name or the access token holds a line break or another character "
                "that none has"
            )
        if self.session.closed:  # by `close`, under a call that goes on
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
        """Closes all sessions; those of calls that go on are closed with the last of them."""
        self._closed = True
        for session in {self.session, *self._in_flight}:
            await session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=self._proxied,
        )
        # aiohttp repeats an idempotent request on a dropped connection, unseen, and offers no
        # other way to turn that off: a reply to the repetition is no answer to what we sent.
        session._retry_connection = False  # noqa: SLF001
        return session


class SendOnce(AsyncHTTPPolicy[Any, Any]):
    """Stands where the SDK's retries do, and sends each request once.

    A download is sent without the range that the SDK asks for, and its reply made to look like
    that of the range: so an empty blob takes one request instead of two, and a large one is read
    at one version.
    """

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sends a request through the rest of the pipeline."""
        location_mode = request.context.options.pop("location_mode", None)
        # These are meant for the SDK's own retries; the second page of a pager brings the last one.
        request.context.options.pop("hosts", None)
        request.context.options.pop("retry_to_secondary", None)
        sent = request.http_request
        whole = sent.method == "GET" and sent.headers.pop("x-ms-range", None) is not None
        if isinstance(sent.data, bytes) and len(sent.data) > _LARGE_BODY:
            # Written in parts, and again from its start if a new token is asked for.
            sent.data = aiohttp.BytesIOPayload(BytesIO(sent.data))
        response = await self.next.send(request)
        reply = response.http_response
        if reply.status_code >= ERRORS:
            # Out of the SDK's hands, which raise a TypeError for an error without a message.
            raise failure_of(reply)
        if whole:
            size = len(reply.content)
            reply.headers["Content-Range"] = f"bytes 0-{size - 1}/{size}"
            if "Content-MD5" in reply.headers:
                reply.headers["x-ms-blob-content-md5"] = reply.headers["Content-MD5"]
        reply.location_mode = location_mode  # the SDK asks for it
        return response

"""Requests to Cloud Storage through the SDK's own authorised session.

The SDK's methods would add a second request for metadata, a background request for each bucket
and a date parse for each listed object, so the requests are built here. Credentials, token refresh,
endpoint and TLS stay with the SDK. One thread at a time requests a token, once per try; but with a
metadata server or a client certificate the SDK repeats that request as it sees fit.
"""

from __future__ import annotations

import asyncio
import os
import threading
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from requests.exceptions import InvalidHeader

from statebucket.errors import InvalidCredentials, Unavailable
from statebucket.port.timeouts import idle_limit
from statebucket_gcs.answer import Answer
from statebucket_gcs.errors import HINT
from statebucket_gcs.identities import ANONYMOUS, identity_of
from statebucket_gcs.sdk.errors import CONNECTION_ERRORS, cause_of, failure_of
from statebucket_gcs.sdk.session import Link, connect, keep_authorization
from statebucket_gcs.sdk.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from requests import Response

    from statebucket.errors import StateBucketError
    from statebucket.port.findings import Finding
    from statebucket_gcs.sdk.options import SDKOptions

T = TypeVar("T")

_CHUNK = 1 << 17


class Connections:
    """A connection for each process, for any number of event loops and threads.

    Args:
        options: How to make the SDK's client, or the caller's client.
        deadline: Seconds that a call may take.
        max_in_flight: The most requests at one time, from one event loop.

    Raises:
        InvalidArgument: A client of the caller's would send credentials in clear text.
    """

    needs_loop = True

    def __init__(self, options: SDKOptions, deadline: float, max_in_flight: int) -> None:
        if options.client is not None:
            Link(options.client, insecure=options.insecure_endpoint)
        self._options = options
        self._deadline = deadline
        # Twice as many, since hung calls keep their threads.
        self._threads = 2 * max_in_flight
        # By process: threads do not survive a fork, and sockets must not be shared after one.
        self._by_pid: dict[int, Connection] = {}

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] = {},
        body: Sequence[bytes] = (),
    ) -> Answer:
        """See `statebucket_gcs.sender.Sender.send`."""
        connection = self._current()
        try:
            return await connection.run(
                lambda: connection.send(method, path, query=query, headers=headers, body=body)
            )
        except asyncio.CancelledError:
            connection.forget_idle()  # the deadline may come long before a time-out
            raise

    async def renew(self) -> bool:
        """See `statebucket_gcs.sender.Sender.renew`."""
        connection = self._current()
        return await connection.run(connection.renew)

    async def identity(self) -> Finding:
        """See `statebucket_gcs.sender.Sender.identity`; known once a request has been sent."""
        credentials = self._current().credentials
        return (
            ANONYMOUS if isinstance(credentials, AnonymousCredentials) else identity_of(credentials)
        )

    def _current(self) -> Connection:
        """This process's connection."""
        pid = os.getpid()
        # No lock: if held while the process forks, it would stay locked in the child.
        return self._by_pid.get(pid) or self._by_pid.setdefault(
            pid,
            Connection(self._options, self._deadline, self._threads, forked=bool(self._by_pid)),
        )

    async def close(self) -> None:
        """Drops this process's connection; the next call makes another."""
        connection = self._by_pid.pop(os.getpid(), None)
        if connection is not None:
            connection.close()


class Connection:
    """An SDK client, and the threads that it runs in.

    Args:
        options: How to make the client, or the caller's client.
        deadline: Seconds that a call may take, unless the call has its own deadline.
        threads: The most threads.
        forked: Whether a parent process may have used the caller's client.
    """

    def __init__(self, options: SDKOptions, deadline: float, threads: int, *, forked: bool) -> None:
        self.threads = Threads(threads)
        self._options = options
        self._idle = idle_limit(deadline)
        self._forked = forked
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._closed = False

    async def run(self, request: Callable[[], T]) -> T:
        """Makes a request in a thread; what it opens is closed after it if `close` came before."""

        def made() -> T:
            try:
                return request()
            finally:
                if self._closed:
                    self.forget_idle()

        return await self.threads.run(made)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: str,
        headers: Mapping[str, str],
        body: Sequence[bytes],
    ) -> Answer:
        """Sends one request and reads the reply; see `Connections.send`. Blocks."""
        link = self._ready()
        writes = method != "GET"
        data = _Body(body, self.threads) if body else None
        try:
            response = link.http.request(
                method,
                link.base + path,
                params=query or None,
                headers={**link.headers, **headers},
                data=data,
                timeout=(self._idle, self._idle),
                stream=True,
                hooks={"response": _read_refusal},
                allow_redirects=False,  # credentials must go nowhere else
                auth=keep_authorization,
            )
            with response:
                content = _read(response, self.threads)
            fields = {name.lower(): value for name, value in response.headers.items()}
            framed = "content-length" in fields or "transfer-encoding" in fields
            return Answer(response.status_code, fields, content, writes, framed)
        except (InvalidHeader, UnicodeEncodeError):  # which show the token
            failure: StateBucketError = InvalidCredentials(
                f"the access token contains a line break or another invalid character ({HINT})"
            )
            cause = None
        except CONNECTION_ERRORS as error:
            self.forget_idle()
            sent = data is None or data.begun
            failure = failure_of(error, link.base, writes=writes, sent=sent)
            cause = cause_of(error)
        except Unavailable as error:  # the caller has left
            error.outcome = "unknown" if writes else "none"
            raise
        # Outside the handler, so that an error left out as the cause is not its context either.
        raise failure from cause

    def _ready(self) -> Link:
        """A client with a valid token; a failure here comes before the request is sent."""
        try:
            link = self._link or self._open()
            if self._options.client is None:
                self._authorize(link)
        except CONNECTION_ERRORS as error:
            self.forget_idle()
            failure, cause = failure_of(error, None, writes=False, sent=False), cause_of(error)
        else:
            return link
        raise failure from cause

    def renew(self) -> bool:
        """Requests another token, as the session does after a 401; False without one. Blocks."""
        link = self._ready()
        credentials = link.client._credentials  # noqa: SLF001  (as below)
        session = link.http
        if isinstance(credentials, AnonymousCredentials) or not isinstance(
            session, AuthorizedSession
        ):
            return False
        try:
            with self._lock:
                self.threads.check("there was no other access token")
                credentials.refresh(partial(session._auth_request, timeout=self._idle))  # noqa: SLF001
        except CONNECTION_ERRORS as error:
            failure, cause = failure_of(error, None, writes=False, sent=False), cause_of(error)
        else:
            return True
        raise failure from cause

    @property
    def credentials(self) -> object:
        """The credentials that requests are sent with; None before the first."""
        return None if self._link is None else self._link.client._credentials  # noqa: SLF001

    def close(self) -> None:
        """Closes the client, unless it is the caller's; what is in use, after its request."""
        self._closed = True
        if self._link is not None and self._options.client is None:
            self._link.client.close()

    def _open(self) -> Link:
        """Makes the client, in a thread: its credentials may take a request."""
        with self._lock:
            self.threads.check("the credentials were not loaded")
            if self._link is None:
                options = self._options
                client = options.client or connect(options, self.threads.size)
                link = Link(client, insecure=options.insecure_endpoint)
                if options.client is not None and self._forked:
                    link.http.close()  # this process's copies of its parent's connections
                self._link = link
            return self._link

    def _authorize(self, link: Link) -> None:
        """Ensures that there is a token; one thread requests it, and the others wait."""
        credentials = link.client._credentials  # noqa: SLF001  (as below)
        if credentials.valid:
            return
        with self._lock:
            self.threads.check("there was no access token yet")
            if not credentials.valid:
                credentials.refresh(partial(link.http._auth_request, timeout=self._idle))  # noqa: SLF001

    def forget_idle(self) -> None:
        """Closes idle connections: if one is lost, as in a thawed process, the others are, too."""
        if self._link is not None and self._options.client is None:
            self._link.http.close()  # those in use are not touched, and new ones can be made


class _Body:
    """A body that is sent in pieces, so that the socket's timeout applies to each piece.

    Attributes:
        begun: Whether any of it may have been sent. Before that, the service cannot have carried
            out a request with a body.
    """

    def __init__(self, parts: Sequence[bytes], threads: Threads) -> None:
        small = sum(map(len, parts)) <= _CHUNK
        self._parts = [b"".join(parts)] if small else parts
        self._threads = threads
        self.begun = False

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[memoryview]:
        self.begun = True
        for part in self._parts:
            for start in range(0, len(part), _CHUNK):
                self._threads.check("the body was not sent whole")
                yield memoryview(part)[start : start + _CHUNK]


def _read(response: Response, threads: Threads) -> bytes:
    """Reads a body as it arrives, so that a slow one ends when its caller leaves."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return response.content
    pieces = []
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        pieces.append(piece)
        threads.check("the response was not received whole")
    return b"".join(pieces)


def _read_refusal(response: Response, **_: object) -> None:
    """Frees the connection of a 401; the session does not when it refreshes the token."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.content  # noqa: B018  (a property that reads)

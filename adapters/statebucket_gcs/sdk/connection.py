"""Requests to Cloud Storage through the SDK's own authorised session.

The SDK's methods would add a second request for metadata, a background request for each bucket
and a date parse for each listed object, so the requests are put together here. Credentials, token
refresh, endpoint and TLS stay the SDK's. A token service is asked by one thread at a time, and once
a try; but a metadata server, and one that is asked with a client's certificate, as often as the
SDK sees fit.
"""

from __future__ import annotations

import asyncio
import os
import threading
import urllib.request
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import TransportError
from google.auth.transport.requests import Request
from google.cloud.storage import Client  # type: ignore[import-untyped]
from requests import Session
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader

from statebucket.errors import InvalidCredentials, Unavailable
from statebucket_gcs.sdk.threads import Threads
from statebucket_gcs.sdk.translate import CONNECTION_ERRORS, HINT, Answer, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from requests import Response

    from statebucket_gcs.options import GCSOptions

T = TypeVar("T")

_CHUNK = 1 << 17
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Connections:
    """A connection for each process, for any number of event loops and threads.

    Args:
        options: How to make the SDK's client, or one of the caller's.
        deadline: Seconds that a call may take.
        max_in_flight: The most requests at one time, from one event loop.
    """

    def __init__(self, options: GCSOptions, deadline: float, max_in_flight: int) -> None:
        self._options = options
        self._deadline = deadline
        # As many again for threads that a hung call holds.
        self._threads = 2 * max_in_flight
        # By process: threads do not survive a fork, and sockets must not be shared after one.
        self._by_pid: dict[int, Connection] = {}

    async def run(self, job: Callable[[Connection], T]) -> T:
        """Runs what sends requests, in a thread."""
        connection = self.current()
        try:
            return await connection.threads.run(lambda: job(connection))
        except asyncio.CancelledError:
            connection.forget_idle()  # the deadline may come long before a dead one's time-out
            raise

    def current(self) -> Connection:
        """This process's connection."""
        pid = os.getpid()
        # No lock: one that is held while the process forks would stay locked in the child.
        return self._by_pid.get(pid) or self._by_pid.setdefault(
            pid,
            Connection(self._options, self._deadline, self._threads, forked=bool(self._by_pid)),
        )

    def close(self) -> None:
        """Drops this process's connection; the next call makes another."""
        connection = self._by_pid.pop(os.getpid(), None)
        if connection is not None:
            connection.close()


class Connection:
    """A client of the SDK's, and the threads that it runs in.

    Args:
        options: How to make the client, or one of the caller's.
        deadline: Seconds that a call may take, unless its store says otherwise.
        threads: The most threads.
        forked: Whether a parent process may have used a client of the caller's.
    """

    def __init__(self, options: GCSOptions, deadline: float, threads: int, *, forked: bool) -> None:
        self.threads = Threads(threads)
        self._options = options
        self._idle = deadline / 3  # so that a dead connection leaves time for another try
        self._forked = forked
        self._lock = threading.Lock()
        self._link: _Link | None = None

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Sequence[bytes] = (),
    ) -> Answer:
        """Sends one request and reads the answer. Blocks.

        Args:
            method: The HTTP method.
            path: The path below the endpoint, encoded.
            query: The query's parameters.
            headers: Headers besides the usual ones.
            body: The parts of the body.

        Raises:
            StateBucketError: There was no answer.
        """
        writes = method != "GET"
        try:
            link = self._link or self._open()
            if self._options.client is None:
                self._authorize(link)
            response = link.http.request(
                method,
                link.base + path,
                params=query,
                headers=link.headers | dict(headers or {}),
                data=_data(body, self.threads),
                timeout=(self._idle, self._idle),
                stream=True,
                hooks={"response": _read_refusal},
                allow_redirects=False,  # credentials go nowhere else
            )
            with response:
                content = _read(response, self.threads)
            return Answer(response.status_code, response.headers, content, writes)
        except (InvalidHeader, UnicodeEncodeError):  # which show the token
            raise InvalidCredentials(
                f"the access token holds a line break or another character that none has ({HINT})"
            ) from None
        except CONNECTION_ERRORS as error:
            self.forget_idle()
            raise failure_of(error, writes=writes) from error
        except Unavailable as error:  # from a call that nobody waits for
            error.outcome = "unknown" if writes and self._link is not None else "none"
            raise

    @property
    def credentials(self) -> object:
        """The credentials that requests are sent with; None before the first."""
        return None if self._link is None else self._link.client._credentials  # noqa: SLF001

    def close(self) -> None:
        """Closes the client, unless it is the caller's."""
        if self._link is not None and self._options.client is None:
            self._link.client.close()

    def _open(self) -> _Link:
        """Makes the client, in a thread: its credentials may be a request away."""
        with self._lock:
            self.threads.check("there were no credentials")
            if self._link is None:
                link = _Link(self._options.client or _connect(self._options, self.threads.size))
                if self._options.client is not None and self._forked:
                    link.http.close()  # this process's copies of its parent's connections
                self._link = link
            return self._link

    def _authorize(self, link: _Link) -> None:
        """Sees to a token; one thread asks for it, and those beside it wait for that one."""
        credentials = link.client._credentials  # noqa: SLF001  (as below)
        if credentials.valid:
            return
        with self._lock:
            self.threads.check("there was no access token")
            if not credentials.valid:
                credentials.refresh(partial(link.http._auth_request, timeout=self._idle))  # noqa: SLF001

    def forget_idle(self) -> None:
        """Closes idle connections: where one was lost, as in a thawed process, others are too."""
        if self._link is not None and self._options.client is None:
            self._link.http.close()  # those in use are not touched, and new ones can be made


class _Link:
    """What a request needs of a client of the SDK's."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401  (the SDK is untyped)
        sdk = client._connection  # noqa: SLF001  (the SDK has no public way to its session)
        self.client = client
        self.http = client._http  # noqa: SLF001
        base: str = sdk.get_api_base_url_for_mtls().rstrip("/")
        # In STORAGE_EMULATOR_HOST other languages' SDKs want no scheme.
        self.base = base if "://" in base else f"http://{base}"
        self.headers = {
            **sdk.extra_headers,
            # The service compresses listings only where both headers say gzip.
            "User-Agent": f"statebucket {sdk.user_agent.strip()} (gzip)",
            "Accept-Encoding": "gzip",
        }


def _connect(options: GCSOptions, connections: int) -> Any:  # noqa: ANN401  (the SDK is untyped)
    endpoint = options.endpoint_url
    try:
        client = Client(
            project=options.project,
            credentials=AnonymousCredentials() if options.anonymous else None,  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": endpoint.rstrip("/")} if endpoint else None,
        )
    except (AttributeError, TypeError, LookupError) as error:  # of JSON that is of another form
        raise InvalidCredentials(f"no usable credentials: the file is none ({HINT})") from error
    session = client._http  # noqa: SLF001  (as above)
    if not session.is_mtls:  # the SDK's own adapter then holds the client's certificate
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=0))
        session._auth_request = _AskOnce(Session())  # noqa: SLF001  (the SDK's would try again)
    # To look for proxies and netrc on each request would take a fifth of its time.
    if not urllib.request.getproxies() and not any(map(os.environ.get, _CA_VARIABLES)):
        session.trust_env = False
    return client


class _AskOnce(Request):
    """Asks the token service once, where the SDK would ask again: the core retries."""

    def __call__(self, *what: Any, **how: Any) -> Any:  # noqa: ANN401  (the SDK is untyped)
        """Sends a request for a token."""
        answer = super().__call__(*what, **how)  # type: ignore[no-untyped-call]
        if answer.status in _PASSING or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransportError(f"the token service answered {answer.status}")  # type: ignore[no-untyped-call]
        return answer


def _data(parts: Sequence[bytes], threads: Threads) -> bytes | _Body:
    body = _Body(parts, threads)
    return body if len(body) > _CHUNK else b"".join(parts)


class _Body:
    """A body that is sent in pieces, so that the socket's timeout is for each piece."""

    def __init__(self, parts: Sequence[bytes], threads: Threads) -> None:
        self._parts = parts
        self._threads = threads

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[memoryview]:
        for part in self._parts:
            for start in range(0, len(part), _CHUNK):
                self._threads.check("the body was not sent")
                yield memoryview(part)[start : start + _CHUNK]


def _read(response: Response, threads: Threads) -> bytes:
    """Reads a body as it comes, so that one that drips in ends with its caller."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return response.content
    pieces = []
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        pieces.append(piece)
        threads.check("the answer did not come whole")
    return b"".join(pieces)


def _read_refusal(response: Response, **_: object) -> None:
    """Frees the connection of a 401, which the session forgets when it asks for another token."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.content  # noqa: B018  (a property that reads)

"""The proxy's record of each request, and predicates over it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support.fault_proxy.messages import Headers, header

if TYPE_CHECKING:
    from support.fault_proxy.messages import Request


@dataclass(slots=True, eq=False)
class Recorded:
    """A request that reached the proxy, and its outcome.

    Attributes:
        connection: The number of the client's connection, from 1.
        method: The method.
        target: The target as it came, percent-encoding and all.
        headers: The headers as they came.
        body: The body, without chunk framing.
        replayed: Whether the same bytes came before and got no answer: an HTTP client that
            sends a request again by itself sends it unchanged, while an SDK's or a store's own
            retry has a new date or request id.
        forwarded: Whether it was sent on to the server.
        server_status: The server's status, if it was asked.
        status: The status sent to the client, or None if there was none, or not yet.
        fault: The fault that was injected; empty for none.
        started: When all of it had arrived, on the clock of `time.monotonic`.
        answered: When its reply was sent, or None.
    """

    connection: int
    method: str
    target: str
    headers: Headers
    body: bytes
    replayed: bool = False
    forwarded: bool = False
    server_status: int | None = None
    status: int | None = None
    fault: str = ""
    started: float = field(default_factory=time.monotonic)
    answered: float | None = None

    def header(self, name: str) -> str | None:
        """Find a header of the request.

        Args:
            name: Its name, in any case.

        Returns:
            The first value, or None.
        """
        return header(self.headers, name)


Predicate = Callable[[Recorded], bool]


def on(
    method: str | None = None, contains: str | None = None, test: Predicate | None = None
) -> Predicate:
    """Make a predicate over requests, as faults take for ``when``.

    Args:
        method: The method it must have.
        contains: What its target must contain, as encoded there.
        test: What else must hold.

    Returns:
        A predicate that is true if all of the arguments match.
    """

    def matches(request: Recorded) -> bool:
        return (
            (method is None or request.method == method)
            and (contains is None or contains in request.target)
            and (test is None or test(request))
        )

    return matches


class Log:
    """The recorded requests. The proxy's thread writes it and tests read it."""

    def __init__(self, keep: int | None) -> None:
        """Make an empty log.

        Args:
            keep: How many requests to keep at most, the newest; None for all.
        """
        self._changed = threading.Condition()
        self._requests: deque[Recorded] = deque(maxlen=keep)
        self._unanswered: set[bytes] = set()

    def add(self, connection: int, request: Request) -> Recorded:
        """Record a request.

        Args:
            connection: The number of its connection.
            request: The request.

        Returns:
            The record.
        """
        recorded = Recorded(
            connection=connection,
            method=request.method,
            target=request.target,
            headers=request.headers,
            body=request.body,
        )
        with self._changed:
            mark = _fingerprint(recorded)
            recorded.replayed = mark in self._unanswered
            self._unanswered.add(mark)
            self._requests.append(recorded)
            self._changed.notify_all()
        return recorded

    def answered(self, request: Recorded) -> None:
        """Record that a client had a whole reply, so that the same bytes are not a replay."""
        with self._changed:
            self._unanswered.discard(_fingerprint(request))

    def snapshot(self) -> list[Recorded]:
        """Give the requests so far."""
        with self._changed:
            return list(self._requests)

    def clear(self) -> None:
        """Forget the requests so far, but not which of them got no reply."""
        with self._changed:
            self._requests.clear()

    def wait_for(self, predicate: Predicate, timeout: float) -> Recorded:
        """Wait for a request.

        Args:
            predicate: Which one.
            timeout: Seconds to wait.

        Returns:
            The first that matches, which may be there already.

        Raises:
            TimeoutError: There is none in time.
        """

        def found() -> Recorded | None:
            return next((request for request in self._requests if predicate(request)), None)

        with self._changed:
            request = self._changed.wait_for(found, timeout)
        if request is None:
            raise TimeoutError(f"no such request within {timeout} s")
        return request


def _fingerprint(request: Recorded) -> bytes:
    """Tell requests apart without keeping their bodies."""
    head = repr((request.method, request.target, request.headers)).encode()
    return hashlib.sha256(head + request.body).digest()

"""Sends one request and reads its whole reply; knows no service.

HTTP/1.1 over our own sockets, which belong to the process: the next ``asyncio.run`` can use them,
too. Nothing is sent twice, no redirect is followed, no thread runs, and nothing needs closing at
interpreter exit.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from statebucket.errors import Unavailable, UntrustedCertificate, excerpt
from statebucket.port.timeouts import idle_limit
from statebucket.port.waiting import stepping
from statebucket_http.head import BadReply, write_head
from statebucket_http.peer import Peer
from statebucket_http.steps import Exchange
from statebucket_http.waiting import SteppedWaits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from statebucket_http.connection import Connection
    from statebucket_http.loop_waiting import Loops
    from statebucket_http.pool import Pool
    from statebucket_http.trust import Trust
    from statebucket_http.waiting import Waits
    from statebucket_http.wire import Endpoint, Reply, Request

    _Peers: TypeAlias = dict[tuple[str, str], tuple[Peer, "_Ways"]]

MAX_BODY = 5 * 1024**3
"""The longest body of a reply, in bytes: the largest object that one request can store on S3."""

_MAX_PEERS = 8


class Transport:
    """The connections to one bucket's service.

    Args:
        service: Its name, for errors.
        deadline: Seconds that a call may take; a connection that does not move for a third of it
            has stalled.
        ca_bundle: A PEM file of the issuers to trust, in place of the system's.
        pool: The most idle connections to keep.
        ca_setting: The setting that names such a file, for errors.
        authorities: Names in the certificates of the service's usual issuers, which are read first.
        max_body: The longest body of a reply, in bytes.
        direct: Whether to ignore the environment's proxies, for servers that only this machine can
            reach.
    """

    _trust: Trust | None = None  # once a connection needs TLS

    def __init__(
        self,
        service: str,
        deadline: float,
        ca_bundle: str | None,
        pool: int,
        *,
        ca_setting: str = "",
        authorities: Sequence[bytes] = (),
        max_body: int = MAX_BODY,
        direct: bool = False,
    ) -> None:
        self._service = service
        self._limit = idle_limit(deadline)
        self._ca_bundle = ca_bundle
        self._ca_setting = ca_setting
        self._authorities = authorities
        self._max_idle = pool
        self._max_body = max_body
        self._direct = direct
        self._by_pid: dict[int, _Peers] = {}  # a fork forgets its parent's

    async def send(self, endpoint: Endpoint, request: Request, headers: Mapping[str, str]) -> Reply:
        """Sends a request once.

        If the caller is cancelled, the connection is closed at once; what was sent by then may
        still arrive, as after any lost reply. Redirects are not followed: the headers may contain a
        signature.

        Args:
            endpoint: Where to send it.
            request: The request; ``headers`` are sent instead of its own.
            headers: All headers, the signature included.

        Raises:
            Unavailable: No connection, no reply in time, a reply cut short or not HTTP/1.1;
                ``outcome`` tells whether a byte of the request may have left.
            UntrustedCertificate: The server's certificate is not trusted.
            RequestRejected: A header or the path holds a character that HTTP does not allow, or the
                proxy refuses its user and password.
            InvalidArgument: The environment's proxy or the CA bundle cannot be used.
        """
        peers = self._by_pid.get(os.getpid()) or self._own_peers()
        peer, ways = peers.get((endpoint.scheme, endpoint.host)) or self._add_peer(peers, endpoint)
        method, body, more = request.method, request.body, request.more
        length = len(body) + sum(map(len, more)) if more else len(body)
        query = f"?{request.query}" if request.query else ""
        head = write_head(
            method,
            f"{peer.prefix}{endpoint.path + request.path or '/'}{query}",
            {**headers, **peer.headers} if peer.headers else headers,
            length if length or method in {"PUT", "POST"} else None,
        )
        waits = ways.current()
        connection = peer.pool.take(waits) or await self._open(peer, waits)
        try:
            bodiless = method == "HEAD"
            apart = request.tail_header
            exchange = Exchange(connection, head, body, more, bodiless=bodiless, tail_header=apart)
            await waits.run(connection, exchange)
        except (OSError, BadReply) as error:
            sent = connection.sent
            connection.close()
            # Many connections may have died while the process was frozen. They must not be tried
            # one after the other.
            peer.pool.close(waits)
            raise self._lost(peer, error, sent=sent) from error
        except BaseException:  # cancelled: a dead connection may be why
            connection.close()
            peer.pool.close(waits)
            raise
        reader = connection.reader
        reply = reader.reply
        if reply is None:
            raise AssertionError("an exchange without a reply")
        reader.reply = None
        if connection.session_due:
            peer.note_session(connection)
        if reader.reusable:
            peer.pool.put(waits, connection)
        else:
            connection.close()
        return reply

    async def close(self) -> None:
        """Closes what is idle; the next request opens connections again.

        Requests in flight in other event loops are not affected.
        """
        for peer, ways in list(self._own_peers().values()):
            peer.pool.close(ways.current())

    def _own_peers(self) -> _Peers:
        """This process's peers; a child process closes its copies of its parent's connections."""
        pid = os.getpid()
        for other in list(self._by_pid):
            if other != pid:
                for peer, _ in self._by_pid.pop(other, {}).values():
                    peer.pool.abandon()
        return self._by_pid.setdefault(pid, {})

    def _add_peer(self, peers: _Peers, endpoint: Endpoint) -> tuple[Peer, _Ways]:
        peer = Peer(endpoint.scheme, endpoint.host, self._max_idle, direct=self._direct)
        for other, ways in list(peers.values()):
            if other.key != peer.key:  # otherwise another thread was quicker
                other.pool.close(ways.current())  # the service may have moved
        for key in list(peers)[: 1 - _MAX_PEERS]:
            peers.pop(key, None)
        return peers.setdefault(peer.key, (peer, _Ways(peer.pool, self._limit)))

    async def _open(self, peer: Peer, waits: Waits) -> Connection:
        trust = self._trust_for(peer)
        complete = trust is None or trust.complete
        try:
            return await peer.open(waits, self._max_body, trust)
        except (OSError, BadReply) as error:
            failed: OSError | BadReply = error
        if trust is not None and not complete and _untrusted(failed):
            # Only some of the system's issuers had been read.
            if not trust.complete:  # another request may have read the rest meanwhile
                trust.complete_it()
            try:
                return await peer.open(waits, self._max_body, trust)
            except (OSError, BadReply) as error:
                failed = error
        raise self._unreachable(peer, failed) from failed

    def _trust_for(self, peer: Peer) -> Trust | None:
        if peer.key[0] != "https":
            return None
        if self._trust is not None:
            return self._trust
        from statebucket_http.trust import Trust  # noqa: PLC0415  (imports ssl)

        made = Trust(self._ca_bundle, self._authorities)
        trust: Trust = vars(self).setdefault("_trust", made)
        return trust  # another thread's, if that was quicker

    def _unreachable(self, peer: Peer, error: OSError | BadReply) -> Unavailable:
        """The error for a connection that could not be opened."""
        reason = self._reason(error)
        if _untrusted(error):
            others = f"; set {self._ca_setting} to trust other CAs" if self._ca_setting else ""
            if self._trust is not None and self._trust.empty:
                others = f"; there are no CAs on this system: install ca-certificates{others}"
            return UntrustedCertificate(
                f"{self._service}'s certificate is not trusted at {peer.name} ({reason}{others})"
            )
        return Unavailable(f"{self._service} cannot be reached at {peer.name} ({reason})")

    def _lost(self, peer: Peer, error: OSError | BadReply, *, sent: bool) -> Unavailable:
        """The error for a request without a complete reply."""
        return Unavailable(
            f"the connection to {self._service} at {peer.name} was lost ({self._reason(error)})",
            outcome="unknown" if sent else "none",
        )

    def _reason(self, error: OSError | BadReply) -> str:
        """What happened, for a message: without what was sent, or a server's text about it."""
        if isinstance(error, TimeoutError) and not error.errno:
            return f"nothing moved for {self._limit:g} s"
        text = getattr(error, "verify_message", None) or getattr(error, "reason", None)
        if not text and isinstance(error, OSError):
            text = error.strerror
        return excerpt(text or str(error) or type(error).__name__)


def _untrusted(error: Exception) -> bool:
    return hasattr(error, "verify_message")  # ssl.SSLCertVerificationError, without its import


class _Ways:
    """The ways to wait for the connections of one pool.

    Args:
        pool: The unused connections.
        limit: See `statebucket_http.waiting.Waits`.
    """

    _loops: Loops | None = None  # once an event loop sends a request

    def __init__(self, pool: Pool, limit: float) -> None:
        self._pool = pool
        self._stepped = SteppedWaits(limit)

    def current(self) -> Waits:
        """The way to wait for the caller's thread or event loop."""
        if stepping() is not None:
            return self._stepped
        if self._loops is not None:
            return self._loops.current()
        from statebucket_http.loop_waiting import Loops  # noqa: PLC0415  (imports asyncio)

        made = Loops(self._pool, self._stepped.limit)
        # Another thread's, if that was quicker.
        loops: Loops = vars(self).setdefault("_loops", made)
        return loops.current()

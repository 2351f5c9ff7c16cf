"""Sends one request and reads its reply, whole, through pyreqwest; knows no service.

The client is not bound to an event loop: its connections serve the next ``asyncio.run`` too.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pyreqwest.client import ClientBuilder, SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.proxy import ProxyBuilder

from statebucket.errors import (
    InvalidArgument,
    RequestRejected,
    Unavailable,
    UnsupportedOperation,
    UntrustedCertificate,
)
from statebucket_http.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyreqwest.client import Client
    from pyreqwest.http import HeaderMap

    from statebucket_http.wire import Endpoint, Request

_IDLE_SHARE = 1 / 3  # of the deadline, so that a dead connection leaves time to try another
_KEEP_IDLE = timedelta(seconds=15)  # S3 closes what is idle after some 20 s
# A read's time-out runs while the body is sent, too, whether it moves or not. So a body that a slow
# line takes long for has the whole deadline, and the kernel, where it can, watches that it moves.
_LARGE = 256 * 1024
_LONGEST = timedelta(minutes=5)  # that a request lives which nobody waits for any more
_UNTRUSTED = "invalid peer certificate"
_NOT_SENT = "client error (Connect)"  # the classes of the errors do not tell it


class Transport:
    """The connections to one bucket's service.

    Args:
        service: Its name, for errors.
        deadline: Seconds that a call may take.
        ca_bundle: A PEM file of further issuers to trust, beside the system's.
        pool: The most idle connections to keep.
    """

    def __init__(self, service: str, deadline: float, ca_bundle: str | None, pool: int) -> None:
        self._service = service
        self._deadline = deadline
        self._ca_bundle = ca_bundle
        self._pool = pool
        self._clients: dict[bool, Client] = {}  # by whether a body is large
        self._made_for: tuple[str, str, int] | None = None

    async def send(self, endpoint: Endpoint, request: Request, headers: Mapping[str, str]) -> Reply:
        """Sends a request once.

        One that is cancelled goes on without its caller, to its end or a time-out: what it writes
        may still arrive, as after any lost reply.

        Redirects are not followed: the headers may hold a signature.

        Args:
            endpoint: Where to.
            request: What; its own headers are not sent, but ``headers``.
            headers: All headers, the signature included.

        Raises:
            Unavailable: No connection, no answer in time, or one cut short; ``outcome`` tells
                whether the request may have arrived.
        """
        question = f"?{request.query}" if request.query else ""
        url = f"{endpoint.scheme}://{endpoint.host}{endpoint.path}{request.path}{question}"
        large = len(request.body) > _LARGE
        client = self._clients.get(large)
        if client is None or self._made_for != (*endpoint[:2], os.getpid()):
            client = self._connect(endpoint, large=large)
        try:
            builder = client.request(request.method, url).headers(headers)
            if request.body or request.method in {"PUT", "POST"}:
                builder = builder.body_bytes(request.body)
            built = builder.build()
        except ValueError as error:
            said = str(error).partition(":")[0]  # then comes the value, a signature or token
            raise RequestRejected(f"the HTTP client refuses the request ({said})") from None
        try:
            reply = await built.send()
            answered = _plain(reply.headers)
            empty = request.method == "HEAD" or answered.get("content-length") == "0"
            body = b"" if empty else (await reply.bytes()).to_bytes()
        except PyreqwestError as error:
            raise self._lost(error, client) from error
        except asyncio.CancelledError:
            self._renew(client)  # the deadline may come long before a dead connection's time-out
            raise
        framed = (
            not reply.version.startswith("HTTP/1")
            or "content-length" in answered
            or "transfer-encoding" in answered
        )
        return Reply(reply.status, answered, body, framed)

    async def close(self) -> None:
        """Lets the connections go; the next request opens others.

        Requests under way, of other event loops, end as they would have: only what is idle is
        closed at once.
        """
        self._clients.clear()

    def _connect(self, endpoint: Endpoint, *, large: bool) -> Client:
        idle = timedelta(seconds=self._deadline * _IDLE_SHARE)
        builder = (
            ClientBuilder()
            .user_agent("statebucket")
            .follow_redirects(enable=False)
            .gzip(enable=False)  # bodies are stored bytes: what they are encoded in is the reader's
            .brotli(enable=False)
            .zstd(enable=False)
            .deflate(enable=False)
            .connect_timeout(idle)
            .read_timeout(timedelta(seconds=self._deadline) if large else idle)
            .timeout(max(_LONGEST, timedelta(seconds=self._deadline)))
            .pool_idle_timeout(_KEEP_IDLE)
            .pool_max_idle_per_host(self._pool)
        )
        if large and sys.platform == "linux":
            builder = builder.tcp_user_timeout(idle)
        proxy = _proxy(endpoint)
        builder = builder.no_proxy() if proxy is None else builder.proxy(_through(proxy))
        if endpoint.scheme == "http" and proxy is None:
            # No TLS on this client: reading the system's issuers costs 16 ms of a cold start.
            builder = builder.danger_accept_invalid_certs(enable=True)
        elif self._ca_bundle is not None:
            builder = _trusting(builder, self._ca_bundle)
        try:
            client = builder.build()
        except RuntimeError as error:
            raise UnsupportedOperation(
                "engine=http cannot send in a fork of a process that has sent: fork before the "
                "first request, spawn, or use the default engine"
            ) from error
        except PyreqwestError as error:
            raise InvalidArgument(
                f"no HTTP client can be made: {_reason(error)} (TLS needs the system's "
                "certificates, or SSL_CERT_FILE)"
            ) from error
        made_for = (*endpoint[:2], os.getpid())
        if self._made_for != made_for:
            self._clients, self._made_for = {}, made_for
        self._clients[large] = client
        _drain_at_exit()
        return client

    def _lost(self, error: PyreqwestError, client: Client) -> Unavailable:
        """The error for a request that got no whole answer.

        Its connection may be one of many that died while the process was frozen. They are not
        tried one after the other: what comes next goes through a new client.
        """
        reason = _reason(error)
        if reason.startswith(_UNTRUSTED):
            return UntrustedCertificate(
                f"{self._service}'s certificate is not trusted: {reason} (AWS_CA_BUNDLE names "
                "others)"
            )
        if _NOT_SENT in _causes(error):
            return Unavailable(f"{self._service} cannot be reached ({reason})")
        self._renew(client)
        return Unavailable(
            f"the connection to {self._service} was lost ({reason})", outcome="unknown"
        )

    def _renew(self, client: Client) -> None:
        """Uses a client no more, unless a request beside this one has put another in its place."""
        if client in self._clients.values():
            self._clients.clear()


def _trusting(builder: ClientBuilder, bundle: str) -> ClientBuilder:
    try:
        return builder.add_root_certificate_pem(Path(bundle).read_bytes())
    except OSError as error:
        raise InvalidArgument(f"the CA bundle {bundle!r} cannot be read") from error


def _proxy(endpoint: Endpoint) -> str | None:
    """The proxy that the environment names for an endpoint, read as botocore does."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  (slow, rarely needed)

    proxy = None if proxy_bypass(endpoint.host) else getproxies().get(endpoint.scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _through(proxy: str) -> ProxyBuilder:
    try:
        return ProxyBuilder.all(proxy)
    except ValueError as error:
        raise InvalidArgument(
            f"the environment names a proxy that is no URL ({str(error).partition(':')[0]})"
        ) from None


def _causes(error: PyreqwestError) -> list[str]:
    """What led to an error, from the outside in."""
    details = getattr(error, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or ()]


def _reason(error: PyreqwestError) -> str:
    """The innermost cause; the outer ones may hold the request's URL."""
    causes = _causes(error)
    return causes[-1] if causes else type(error).__name__


def _plain(headers: HeaderMap) -> dict[str, str]:
    try:
        return dict(headers.items())
    except ValueError:  # one is not ASCII, and they come all or none
        return {name: value for name in headers if (value := _ascii(headers, name)) is not None}


def _ascii(headers: HeaderMap, name: str) -> str | None:
    try:
        return headers[name]
    except ValueError:
        return None


@cache
def _drain_at_exit() -> None:
    """Lets the client's own thread come to rest before the interpreter ends.

    That thread wakes the event loop while it holds the interpreter's lock, and lets go of it a
    moment later; where a program ends within this moment, up to Python 3.13 the process aborts
    (seen in 1 of 8 runs that end with a request). A last request, to a port where nobody can be,
    comes after all others in that thread.
    """
    atexit.register(_drain)


def _drain() -> None:
    # Nothing is sent, so nothing is verified; to read the system's issuers would take 16 ms.
    # RuntimeError: this is a fork, which has no such thread.
    with suppress(PyreqwestError, RuntimeError):
        client = SyncClientBuilder().no_proxy().danger_accept_invalid_certs(enable=True).build()
        client.get("http://127.0.0.1:0/").build().send()

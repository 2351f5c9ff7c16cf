"""An HTTP/1.1 reverse proxy that records requests and injects the faults of a test.

    with FaultProxy(server.host, server.port) as proxy:
        proxy.plan(DropReply(when=on("PUT")))
        ...  # a client that talks to proxy.url
        assert proxy.count("PUT") == 2

It runs in its own thread, so blocking and asynchronous clients can both use it.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Literal, Self

from support.fault_proxy.answers import azure_error, gcs_error, s3_error
from support.fault_proxy.holding import HoldReplyUntil, HoldUntil
from support.fault_proxy.kinds import (
    Answer,
    AnswerWith,
    BlackHole,
    Callback,
    CorruptBody,
    CorruptUpload,
    CutBody,
    Delay,
    DelayReply,
    DripBody,
    DropBeforeSend,
    DropReply,
    Fault,
    HangBeforeReply,
    Pass,
    RewriteReply,
    StallBody,
    Together,
)
from support.fault_proxy.messages import Headers, Reply, replace_header
from support.fault_proxy.record import Log, Predicate, Recorded, on
from support.fault_proxy.script import Script
from support.fault_proxy.serving import Serving
from support.fault_proxy.tls import untrusted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from types import TracebackType

__all__ = [
    "Answer",
    "AnswerWith",
    "BlackHole",
    "Callback",
    "CorruptBody",
    "CorruptUpload",
    "CutBody",
    "Delay",
    "DelayReply",
    "DripBody",
    "DropBeforeSend",
    "DropReply",
    "Fault",
    "FaultProxy",
    "HangBeforeReply",
    "Headers",
    "HoldReplyUntil",
    "HoldUntil",
    "Pass",
    "Predicate",
    "ProxyFailed",
    "Recorded",
    "Reply",
    "RewriteReply",
    "StallBody",
    "Together",
    "azure_error",
    "gcs_error",
    "on",
    "replace_header",
    "s3_error",
]

_HOST = "127.0.0.1"
_WAIT_S = 60.0  # only for what never comes


class ProxyFailed(RuntimeError):
    """A function that a test gave to the proxy failed there."""


class FaultProxy:
    """A proxy before one server.

    Attributes:
        port: Its port on 127.0.0.1.
        ca_pem: The certificate, as PEM, of the issuer that no client trusts; None without TLS.
    """

    def __init__(
        self,
        upstream_host: str,
        upstream_port: int,
        *,
        rewrite_host: str | None = None,
        tls: Literal["untrusted", "another host"] | None = None,
        keep: int | None = None,
    ) -> None:
        """Prepare a proxy; entering its context starts it.

        Args:
            upstream_host: The server's address.
            upstream_port: The server's port.
            rewrite_host: The Host header to send to the server; None for the client's own. URLs
                with it in JSON and in Location are mapped back to the client's.
            tls: "untrusted" to speak TLS with a certificate that no client trusts; "another host"
                for one that is not for this address either.
            keep: How many requests to remember at most, the newest; None for all.
        """
        self.port = 0
        self.ca_pem: bytes | None = None
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            host = _HOST if tls == "untrusted" else "elsewhere.example"
            self._context, self.ca_pem = untrusted(host)
        self._script = Script()
        self._log = Log(keep)
        self._serving = Serving(
            (upstream_host, upstream_port, rewrite_host), self._script, self._log
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        """Start the proxy."""
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="fault-proxy")
        # A test process that is killed does not wait for it.
        self._thread.daemon = True
        self._thread.start()
        self.port = started.result(_WAIT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the proxy and close all its connections.

        Raises:
            ProxyFailed: A ``when``, a callback or a rewriting function raised an error, or the
                proxy's thread does not end, and the test did not notice.
        """
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(_WAIT_S)
        if error is not None:
            return
        for failure in self._serving.failures:
            raise ProxyFailed(repr(failure)) from failure
        if self._thread is not None and self._thread.is_alive():
            raise ProxyFailed("the proxy's thread does not end")

    @property
    def url(self) -> str:
        """Where clients find the proxy."""
        return f"{'https' if self._context else 'http'}://{_HOST}:{self.port}"

    @property
    def requests(self) -> list[Recorded]:
        """The requests so far, in the order in which they came."""
        return self._log.snapshot()

    def clear(self) -> None:
        """Forget the requests so far; faults stay."""
        self._log.clear()

    def count(self, method: str | None = None, contains: str | None = None) -> int:
        """Count requests.

        Args:
            method: Only those of this method.
            contains: Only those whose target, as encoded there, contains this.

        Returns:
            How many there were.
        """
        return sum(map(on(method, contains), self.requests))

    def wait_for(self, predicate: Predicate | None = None, timeout: float = _WAIT_S) -> Recorded:
        """Block until a request has arrived; its reply may still be pending.

        Args:
            predicate: Which request, see `on`; None for any.
            timeout: Seconds to wait.

        Returns:
            The first such request, which may have been there before.

        Raises:
            TimeoutError: There is none in time.
        """
        return self._log.wait_for(predicate or on(), timeout)

    def plan(self, *faults: Fault) -> None:
        """Queue faults. Each request takes the first that matches it, and uses it up.

        Args:
            *faults: The faults, in their order.
        """
        self._script.plan(*faults)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The planned faults that no request has met; at the end of a test there should be none."""
        return self._script.pending

    def always(self, fault: Fault, times: int | None = None) -> None:
        """Set a fault for all matching requests that no planned fault takes.

        Args:
            fault: The fault.
            times: For how many requests at most; None for no limit.
        """
        self._script.always(fault, times)

    def heal(self) -> None:
        """Forget all faults, planned and standing; hanging requests keep hanging."""
        self._script.clear()

    @property
    def connections(self) -> int:
        """How many clients' connections are open now."""
        return self._call(self._serving.count)

    def freeze_idle(self) -> int:
        """Make all present connections swallow what comes and never answer; new ones work.

        This is the state of a client's pool after its machine was frozen and the network forgot it.

        Returns:
            How many connections there were.
        """
        return self._call(self._serving.freeze)

    def close_idle(self) -> int:
        """Close the connections that wait for a request, as servers do after a while.

        Returns:
            How many there were.
        """
        return self._call(self._serving.close_idle)

    def _call(self, step: Callable[[], Coroutine[None, None, int]]) -> int:
        """Do something on the proxy's own thread and wait for it."""
        if self._loop is None:
            raise RuntimeError("the proxy is not running")
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(_WAIT_S)

    def _run(self, started: Future[int]) -> None:
        """Be the proxy's thread."""
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[int]) -> None:
        """Accept connections until stopped."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        started.set_result(await self._serving.start(_HOST, self._context))
        await self._stop.wait()
        await self._serving.stop()
        self._loop = None

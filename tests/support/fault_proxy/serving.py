"""The proxy's own thread: connections accepted, requests recorded, faults applied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.fault_proxy.http1 import LINE_LIMIT, ProtocolError
from support.fault_proxy.kinds import Pass
from support.fault_proxy.link import Drop, Link, ServerGone, Upstream

if TYPE_CHECKING:
    import ssl

    from support.fault_proxy.messages import Reply, Request
    from support.fault_proxy.record import Log, Recorded
    from support.fault_proxy.script import Script


class Serving:
    """Serves clients on one event loop; all its methods run there.

    Attributes:
        failures: What the test's own functions raised, in order.
    """

    def __init__(self, upstream: tuple[str, int, str | None], script: Script, log: Log) -> None:
        """Prepare to serve.

        Args:
            upstream: The server's address and port, and the Host header to send it, if any.
            script: The faults.
            log: Where requests are recorded.
        """
        self.failures: list[Exception] = []
        self._upstream = upstream
        self._script = script
        self._log = log
        self._links: set[Link] = set()
        self._accepted = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, context: ssl.SSLContext | None) -> int:
        """Begin to accept connections.

        Args:
            host: The address to listen on.
            context: The context for TLS, or None for plain HTTP.

        Returns:
            The port.
        """
        self._server = await asyncio.start_server(
            self._accept, host, 0, limit=LINE_LIMIT, ssl=context
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def count(self) -> int:
        """Count the open connections."""
        return len(self._links)

    async def freeze(self) -> int:
        """Make the open connections swallow everything from now on, and count them."""
        for link in self._links:
            link.frozen = True
        return len(self._links)

    async def close_idle(self) -> int:
        """Close the connections that wait for a request, and count them."""
        idle = [link for link in self._links if not link.busy]
        await asyncio.gather(*(link.close() for link in idle))
        return len(idle)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to serve a connection, in a task that `stop` can end."""
        self._accepted += 1
        link = Link(self._accepted, reader, writer)
        self._links.add(link)
        task = asyncio.create_task(self._serve_link(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_link(self, link: Link) -> None:
        """Serve a connection to its end."""
        upstream = Upstream(*self._upstream)
        reset = False
        try:
            while await self._serve_request(link, upstream):
                link.busy = False
        except Drop as drop:
            reset = drop.reset
        except Exception as error:  # noqa: BLE001 - whatever a test's own function raises
            self.failures.append(error)
        finally:
            self._links.discard(link)
            try:
                await link.close(reset=reset)
            finally:  # Even if `stop` cancels closing the other one.
                await upstream.close()

    async def _serve_request(self, link: Link, upstream: Upstream) -> bool:
        """Serve one request, and say whether another may follow on the connection."""
        try:
            request = await link.receive()
        except ProtocolError as error:
            await link.refuse(str(error))
            return False
        if request is None:
            return False
        recorded = self._log.add(link.number, request)
        if link.frozen:
            recorded.fault = "frozen"
            await link.hang()
        fault = self._script.take(recorded)
        recorded.fault = "" if isinstance(fault, Pass) else repr(fault)
        reply = await fault.before(link, recorded)
        if reply is None:
            reply = await self._ask(upstream, fault.onward(request), recorded)
        reply = await fault.after(link, recorded, reply)
        await link.send(recorded, reply)
        self._log.answered(recorded)
        return not request.closes

    async def _ask(self, upstream: Upstream, request: Request, recorded: Recorded) -> Reply:
        """Make the server reply to a request."""
        recorded.forwarded = True
        try:
            reply = await upstream.exchange(request)
        except ServerGone as error:
            recorded.fault = f"the server failed: {error}"
            raise Drop from error
        recorded.server_status = reply.status
        return reply

"""The faults that can be scripted.

Each is a small value with up to three steps: `Fault.before` runs before the request is passed on,
`Fault.onward` may change the request for the server, and `Fault.after` runs before the reply goes
to the client.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from support.fault_proxy.link import Drop, Link
from support.fault_proxy.messages import Headers, Reply, has_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fault_proxy.messages import Request
    from support.fault_proxy.record import Predicate, Recorded


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What to do to a request; this one does nothing.

    Attributes:
        when: Which requests it is for, see `support.fault_proxy.record.on`; None for all.
    """

    when: Predicate | None = field(default=None, repr=False)

    def matches(self, request: Recorded) -> bool:
        """Say whether the fault is for a request."""
        return self.when is None or self.when(request)

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Act before the server is asked.

        Args:
            link: The client's connection.
            request: The request.

        Returns:
            A reply in place of the server's, or None to ask the server.
        """
        return None

    def onward(self, request: Request) -> Request:
        """Alter what is passed on to the server.

        Args:
            request: The request as it came, and as it is recorded.

        Returns:
            The request to pass on.
        """
        return request

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Act before the client is answered.

        Args:
            link: The client's connection.
            request: The request.
            reply: The server's reply.

        Returns:
            The reply to give.
        """
        return reply


@dataclass(frozen=True)
class Pass(Fault):
    """Let a request through, as in ``proxy.plan(Pass(), DropReply())``: the second one fails."""


@dataclass(frozen=True)
class DropBeforeSend(Fault):
    """Close the client's connection; the server never receives the request.

    Attributes:
        reset: Whether to close it with a reset (RST) rather than in good order (FIN).
    """

    reset: bool = False

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Close the connection."""
        raise Drop(reset=self.reset)


@dataclass(frozen=True)
class DropReply(Fault):
    """Let the server carry out the request, then close the client's connection without a reply.

    Attributes:
        reset: Whether to close it with a reset (RST) rather than in good order (FIN).
    """

    reset: bool = False

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Close the connection."""
        raise Drop(reset=self.reset)


@dataclass(frozen=True)
class Answer(Fault):
    """Reply in place of the server, which never receives the request.

    Attributes:
        status: The status to answer.
        headers: The headers, without Content-Length.
        body: The body.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Give the answer."""
        return Reply(status=self.status, headers=self.headers, body=self.body)


@dataclass(frozen=True)
class AnswerWith(Fault):
    """Reply in place of the server with what a function makes of the request.

    Attributes:
        fn: Gives the reply.
    """

    fn: Callable[[Recorded], Reply]

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Give the answer."""
        return self.fn(request)


@dataclass(frozen=True)
class Delay(Fault):
    """Send the request to the server late, even if the client gives up meanwhile.

    Attributes:
        seconds: How late.
    """

    seconds: float

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Wait."""
        await asyncio.sleep(self.seconds)
        return None


@dataclass(frozen=True)
class DelayReply(Fault):
    """Let the server carry out the request at once, and pass on its reply late.

    Attributes:
        seconds: How late.
    """

    seconds: float

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Wait."""
        await asyncio.sleep(self.seconds)
        return reply


@dataclass(frozen=True)
class HangBeforeReply(Fault):
    """Let the server carry out the request, and never pass on its reply."""

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Hang until the client gives up."""
        await link.hang()


@dataclass(frozen=True)
class BlackHole(Fault):
    """Swallow the request; neither the server nor the client receives anything."""

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Hang until the client gives up."""
        await link.hang()


@dataclass(frozen=True)
class StallBody(Fault):
    """Send the head and some of the body, then nothing more.

    At least one byte of the body is held back; a reply without a body is held back whole.

    Attributes:
        after_bytes: How much of the body to send.
    """

    after_bytes: int = 0

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:
        """Send a part and hang until the client gives up."""
        await _send_part(link, request, reply, self.after_bytes)
        await link.hang()


@dataclass(frozen=True)
class CutBody(Fault):
    """Send the head and some of the body, then close the connection.

    At least one byte of the body is held back; a reply without a body is held back whole.

    Attributes:
        after_bytes: How much of the body to send.
        reset: Whether to close with a reset (RST) rather than in good order (FIN).
    """

    after_bytes: int = 0
    reset: bool = False

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:
        """Send a part and close the connection."""
        await _send_part(link, request, reply, self.after_bytes)
        raise Drop(reset=self.reset)


@dataclass(frozen=True)
class DripBody(Fault):
    """Send the head, then the body a byte at a time, then close the connection.

    Attributes:
        every: Seconds before each byte.
    """

    every: float = 0.1

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:
        """Send the reply slowly."""
        await link.send(request, reply, every=self.every)
        raise Drop


@dataclass(frozen=True)
class CorruptUpload(Fault):
    """Change one bit of the request's body on its way to the server, and no length.

    Attributes:
        marker: The bytes of which the first is changed; a body without them stays as it is.
    """

    marker: bytes

    def onward(self, request: Request) -> Request:
        """Change the body."""
        at = request.wire_body.find(self.marker)
        if at < 0:
            return request
        body = bytearray(request.wire_body)
        body[at] ^= 1
        return replace(request, wire_body=bytes(body))


@dataclass(frozen=True)
class CorruptBody(Fault):
    """Change one bit of the body, and no length. A reply without a body stays as it is.

    Attributes:
        at: The byte to change, from the end if negative; None for the one in the middle.
    """

    at: int | None = None

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Change the body."""
        if not reply.body:
            return reply
        body = bytearray(reply.body)
        body[len(body) // 2 if self.at is None else self.at] ^= 1
        return replace(reply, body=bytes(body))


@dataclass(frozen=True)
class RewriteReply(Fault):
    """Let the server carry out the request, and replace its reply.

    Attributes:
        fn: Gives the reply for the server's reply and the request.
    """

    fn: Callable[[Reply, Recorded], Reply]

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Rewrite the reply."""
        return self.fn(reply, request)


@dataclass(frozen=True)
class Callback(Fault):
    """Call a function after the server has replied and before the client receives the reply.

    Attributes:
        fn: Called with the request, in a thread of its own, so that it may use any client.
    """

    fn: Callable[[Recorded], Any]

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Call the function and wait for it."""
        await asyncio.to_thread(self.fn, request)
        return reply


@dataclass(frozen=True)
class Together(Fault):
    """Several faults for one request, in their order.

    ``Together((Callback(overwrite), DropReply()))`` lets another writer in and loses the reply.

    Attributes:
        faults: The faults; whether they are for a request is decided by ``when`` of this one.
    """

    faults: tuple[Fault, ...]

    async def before(self, link: Link, request: Recorded) -> Reply | None:
        """Act before the server is asked, up to the first answer."""
        for fault in self.faults:
            reply = await fault.before(link, request)
            if reply is not None:
                return reply
        return None

    def onward(self, request: Request) -> Request:
        """Alter the request, each fault the result of the one before."""
        for fault in self.faults:
            request = fault.onward(request)
        return request

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:
        """Act before the client is answered."""
        for fault in self.faults:
            reply = await fault.after(link, request, reply)
        return reply


async def _send_part(link: Link, request: Recorded, reply: Reply, wanted: int) -> None:
    """Send a reply without at least one byte of its body, or nothing if it has none."""
    if reply.body and has_body(request.method, reply.status):
        await link.send(request, reply, only=min(wanted, len(reply.body) - 1))

"""What a bucket needs of an engine: to send one request, and to name the identity that sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.port.findings import Finding
    from statebucket_gcs.answer import Answer


class Sender(Protocol):
    """Sends requests to Cloud Storage's endpoint, each once, with credentials.

    Attributes:
        needs_loop: Whether it can only be used in an event loop.
    """

    needs_loop: bool

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] = {},
        body: Sequence[bytes] = (),
    ) -> Answer:
        """Sends one request and reads the whole reply.

        Args:
            method: The HTTP method.
            path: The path below the endpoint, percent-encoded.
            query: The query, percent-encoded.
            headers: Headers besides the usual ones, names in lower case.
            body: The parts of the body.

        Raises:
            StateBucketError: There was no reply.
        """
        ...

    async def renew(self) -> bool:
        """Gets a new token, after the service has refused one within a reply.

        Returns:
            Whether there are tokens; False if requests are sent without one.

        Raises:
            StateBucketError: None could be requested.
        """
        ...

    async def identity(self) -> Finding:
        """The identity that the requests have."""
        ...

    async def close(self) -> None:
        """Frees its resources, but not the caller's client. The next request opens them again."""
        ...

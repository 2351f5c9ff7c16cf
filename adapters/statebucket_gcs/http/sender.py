"""Sends requests to Cloud Storage over our own transport."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from statebucket.errors import Unavailable
from statebucket.port.endpoint import require_tls
from statebucket_gcs.answer import Answer
from statebucket_gcs.options import ca_bundle, emulator, environment_endpoint
from statebucket_http.endpoints import endpoint_at
from statebucket_http.transport import Transport
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.port.findings import Finding
    from statebucket.port.renewal import TokenSource
    from statebucket_gcs.http.credentials import Credentials
    from statebucket_gcs.http.options import HTTPOptions

_AUTHORITIES = (b"Google Trust Services", b"GlobalSign")  # of the certificates of Google's endpoint
_UNIVERSE = "GOOGLE_CLOUD_UNIVERSE_DOMAIN"
_REFUSED = 401


class HTTPSender:
    """See `statebucket_gcs.sender.Sender`.

    Args:
        options: The store's options.
        deadline: Seconds that a call may take.
        max_in_flight: The most requests at one time, from one event loop.

    Raises:
        InvalidArgument: The environment names an invalid endpoint, or one to which credentials
            would be sent in clear text.
    """

    needs_loop = False
    _transport: Transport | None = None  # once there is a request

    def __init__(self, options: HTTPOptions, deadline: float, max_in_flight: int) -> None:
        self._options = options
        self._deadline = deadline
        self._max_in_flight = max_in_flight
        given = options.endpoint_url or environment_endpoint()
        url = given or f"https://storage.{os.environ.get(_UNIVERSE) or 'googleapis.com'}"
        self._endpoint = endpoint_at(url, "endpoint_url")
        self._authorities = () if given else _AUTHORITIES
        self._credentials: Credentials | None = None
        self._tokens: TokenSource | None = None
        if options.credentials is not None or not (options.anonymous or emulator()):
            require_tls(url, insecure=options.insecure_endpoint)
            self._find_credentials()

    def _find_credentials(self) -> None:
        from statebucket.port.renewal import TokenSource  # noqa: PLC0415  (not for emulators)
        from statebucket_gcs.http.credentials import Credentials  # noqa: PLC0415

        self._credentials = Credentials(self._options.credentials, self._deadline)
        self._tokens = TokenSource(self._credentials.token)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] = {},
        body: Sequence[bytes] = (),
    ) -> Answer:
        """See `statebucket_gcs.sender.Sender.send`.

        A token that the service refuses may have been revoked before it expired. The request has
        done nothing then, and is sent once more with another token.
        """
        first, *more = body or (b"",)
        request = Request(method, path, query, headers, first, more)
        tokens = self._tokens
        if tokens is None:
            return await self._once(request, headers)
        token = await tokens.get()
        answer = await self._once(request, self._authorized(headers, token))
        if answer.status == _REFUSED:
            tokens.drop(token)
            other = await tokens.get()
            if other != token:
                answer = await self._once(request, self._authorized(headers, other))
        return answer

    def _authorized(self, headers: Mapping[str, str], token: str) -> Mapping[str, str]:
        """The headers of a request with a token."""
        billed = {} if self._credentials is None else self._credentials.headers
        return {**headers, **billed, "authorization": f"Bearer {token}"}

    async def _once(self, request: Request, headers: Mapping[str, str]) -> Answer:
        writes = request.method != "GET"
        try:
            reply = await self._ready().send(
                self._endpoint, request, {"host": self._endpoint.host, **headers}
            )
        except Unavailable as error:
            if not writes:
                error.outcome = "none"
            raise
        return Answer(reply.status, reply.headers, reply.body, writes, reply.framed)

    def _ready(self) -> Transport:
        """The transport, made with the first request, with the environment's trust at that time."""
        if self._transport is not None:
            return self._transport
        made = Transport(
            "Cloud Storage",
            self._deadline,
            ca_bundle(),
            self._max_in_flight,
            ca_setting="REQUESTS_CA_BUNDLE",
            authorities=self._authorities,
        )
        transport: Transport = vars(self).setdefault("_transport", made)
        return transport  # another thread's, if that was quicker

    async def renew(self) -> bool:
        """See `statebucket_gcs.sender.Sender.renew`."""
        tokens = self._tokens
        if tokens is None:
            return False
        # It may be the one that another call got after the same refusal: then it is valid, too.
        tokens.drop(await tokens.get())
        await tokens.get()
        return True

    async def identity(self) -> Finding:
        """See `statebucket_gcs.sender.Sender.identity`; from a machine's metadata server."""
        from statebucket_gcs.identities import ANONYMOUS  # noqa: PLC0415  (for the doctor only)

        return ANONYMOUS if self._credentials is None else await self._credentials.identity()

    async def close(self) -> None:
        """Closes idle connections; the next request opens others."""
        if self._transport is not None:
            await self._transport.close()

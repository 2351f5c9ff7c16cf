"""Services that give keys and tokens, by a few blocking requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from statebucket.port.complete_types import complete
from statebucket.port.waiting import step
from statebucket_http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.errors import Unavailable
    from statebucket_http.wire import Endpoint, Reply, Request

T = TypeVar("T")

PATIENCE = 9.0
"""The most seconds to wait for such a service; a third of them while nothing moves."""

_MAX_REPLY = 256 * 1024


class CredentialService:
    """One such service.

    Args:
        name: Its name, for errors.
        endpoint: Where it is.
        patience: Seconds that a caller has for it, at most `PATIENCE`; if nothing moves for a third
            of them, the connection is given up.
        near: Whether it belongs to this machine or to the platform that runs it, so that the
            environment's proxies are not used.
        ca_bundle: As for `statebucket_http.transport.Transport`; likewise the next two.
        ca_setting: Where that is set.
        authorities: Who issues its certificates.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        patience: float,
        *,
        near: bool,
        ca_bundle: str | None = None,
        ca_setting: str = "",
        authorities: Sequence[bytes] = (),
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        self._transport = Transport(
            name,
            min(patience, PATIENCE),
            ca_bundle,
            1,
            ca_setting=ca_setting,
            authorities=authorities,
            max_body=_MAX_REPLY,
            direct=near,
        )

    def ask(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """Sends a request once; blocks.

        Args:
            request: The request; its own headers are not sent.
            headers: The headers, except ``host``.

        Raises:
            StateBucketError: As for `statebucket_http.transport.Transport.send`.
        """
        sent = {"host": self._endpoint.host, **headers}
        return step(self._transport.send(self._endpoint, request, sent))

    def close(self) -> None:
        """Closes its connection; the next request opens another."""
        step(self._transport.close())


def lacking(what: str, error: Unavailable, hint: str = "") -> Unavailable:
    """The error for a key or token that is missing, of the same kind as the service's error.

    Args:
        what: The missing key or token, for the message.
        error: Why the service did not answer.
        hint: What to check, for the message.
    """
    text = f"{what}: {error.message}{hint and f' ({hint})'}"
    return type(error)(text, outcome=error.outcome, code=error.code)


def decoded(reply: Reply, kind: type[T]) -> T | None:
    """The JSON of a service's reply; None if it is not of this type.

    It raises no decoding error, which might show a part of a token.
    """
    try:
        return msgspec.json.decode(reply.body, type=complete(kind))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None

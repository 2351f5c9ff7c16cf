"""Tokens of an azure-identity credential: the caller's, or the one that finds a login."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable
from statebucket.port.renewal import (
    RENEW_BEFORE,
    SPARE,
    Pauses,
    Token,
    TokenSource,
    copy_of,
    sendable,
)
from statebucket_azure.causes import chained
from statebucket_azure.codes import HINTS
from statebucket_azure.http.access import TokenAccess
from statebucket_azure.http.token_services import RESOURCE

_SCOPE = f"{RESOURCE}/.default"


def access_by(credential: Any) -> TokenAccess:  # noqa: ANN401  (of many kinds)
    """Access by the caller's credential, asynchronous or blocking."""
    if inspect.iscoroutinefunction(credential.get_token):
        return TokenAccess(CallersTokens(credential), needs_loop=True)
    return TokenAccess(TokenSource(lambda: asked(credential)))


def asked(credential: Any) -> Token:  # noqa: ANN401  (as above)
    """A token of a credential whose ``get_token`` blocks.

    Raises:
        InvalidCredentials: It returns none.
        Unavailable: Its token service cannot be reached.
    """
    try:
        given = credential.get_token(_SCOPE)
    except AzureError as error:
        failure = _failure(error)
    else:
        return Token(given.token, float(given.expires_on))
    # Outside the handler, so that an error left out as the cause is not its context either.
    raise failure


class CallersTokens:
    """Tokens of an asynchronous credential, requested in the event loop of the caller.

    Args:
        credential: The credential, of ``azure.identity.aio``.
    """

    def __init__(self, credential: Any) -> None:  # noqa: ANN401  (as above)
        self._credential = credential
        self._kept: Token | None = None
        self._pauses = Pauses()
        self._asks: dict[asyncio.AbstractEventLoop, asyncio.Task[Token]] = {}

    async def get(self) -> str:
        """A token that can be sent now; it is renewed in the background while it is valid.

        Raises:
            InvalidCredentials: There is none.
            Unavailable: The credential's token service cannot be reached.
        """
        kept = self._kept
        left = 0.0 if kept is None else kept.ends - time.time()
        if kept is None or left <= SPARE:
            try:  # a cancelled caller must not cancel the others' token
                return (await asyncio.shield(self._asking())).value
            except StateBucketError as error:
                raise copy_of(error) from error.__cause__
        if left <= RENEW_BEFORE and self._pauses.over():
            self._asking()
        return kept.value

    def drop(self, value: str) -> None:
        """Forgets a token that the service has refused."""
        kept = self._kept
        if kept is not None and kept.value == value:
            self._kept = None

    def _asking(self) -> asyncio.Task[Token]:
        """The token request in flight in this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        asking = self._asks.get(loop)
        if asking is None or asking.done():
            for other in list(self._asks):
                if other.is_closed():
                    self._asks.pop(other, None)
            asking = self._asks[loop] = loop.create_task(self._ask())
            asking.add_done_callback(_seen)
        return asking

    async def _ask(self) -> Token:
        token = None
        try:
            token = self._kept = await self._given()
        finally:
            left = 0.0 if token is None else token.ends - time.time()
            self._pauses.note(lasts=left > RENEW_BEFORE)
        return token

    async def _given(self) -> Token:
        try:
            given = await self._credential.get_token(_SCOPE)
        except AzureError as error:
            failure = _failure(error)
        else:
            return sendable(Token(given.token, float(given.expires_on)))
        raise failure


def _seen(renewal: asyncio.Task[Token]) -> None:
    """Records how a request ended; only calls that then need a token see a failure."""
    if not renewal.cancelled():
        renewal.exception()


def _failure(error: AzureError) -> StateBucketError:
    failure: StateBucketError
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        kind = type(error).__name__
        failure = Unavailable(f"the source of the access token cannot be reached ({kind})")
    else:
        failure = InvalidCredentials(f"there is no access token: {HINTS[InvalidCredentials]}")
    return chained(failure, error)

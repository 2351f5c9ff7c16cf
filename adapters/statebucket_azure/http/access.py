"""What authorizes a request: the account's key, a shared access signature, a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from statebucket.errors import InvalidCredentials
from statebucket.port.bucket import Confidential
from statebucket_azure.http.signing import SharedKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.port.renewal import TokenSource
    from statebucket_azure.http.callers_tokens import CallersTokens
    from statebucket_http.wire import Request


class Grant(Protocol):
    """Authorizes requests, for as long as it takes to send them."""

    def authorize(self, request: Request, headers: dict[str, str], base: str) -> Request:
        """Authorizes a request.

        Args:
            request: The request.
            headers: Its headers; one may be added.
            base: What comes before the request's path.

        Returns:
            The request to send.
        """

    def signer(
        self, method: str, headers: dict[str, str], base: str
    ) -> Callable[[str], str] | None:
        """Returns a function from a path to the ``Authorization`` header, for many requests.

        Args:
            method: The method of all the requests, which have neither a query nor a body.
            headers: The headers of all the requests.
            base: What comes before the path of each.

        Returns:
            The function; None if `authorize` does the same to all requests.
        """


class Access(Protocol):
    """Where a store's grants come from.

    Attributes:
        needs_loop: See `statebucket.port.bucket.Limits`.
    """

    needs_loop: bool

    async def grant(self) -> Grant:
        """The grant for a request to be sent now.

        Raises:
            InvalidCredentials: There is none.
            Unavailable: Its source cannot be reached.
        """

    async def instead_of(self, refused: Grant) -> Grant | None:
        """A grant other than one that the service has just refused; None if there is none."""


class _Lasting:
    """Access by a grant that does not change."""

    needs_loop = False

    async def instead_of(self, refused: Grant) -> Grant | None:  # noqa: ARG002
        """See `Access.instead_of`."""
        return None


class _Alike:
    """A grant that does the same to each request."""

    def signer(self, method: str, headers: dict[str, str], base: str) -> None:
        """See `Grant.signer`."""


class KeyGrant(_Lasting):
    """Signs with an account's key.

    Args:
        key: The key.
    """

    def __init__(self, key: SharedKey) -> None:
        self._key = key

    def authorize(self, request: Request, headers: dict[str, str], base: str) -> Request:
        """See `Grant.authorize`."""
        headers["authorization"] = self._key.authorization(
            request.method, base + request.path, request.query, headers, len(request.body)
        )
        return request

    def signer(self, method: str, headers: dict[str, str], base: str) -> Callable[[str], str]:
        """See `Grant.signer`."""
        return self._key.signer(method, headers, base)

    async def grant(self) -> Grant:
        """See `Access.grant`."""
        return self


class SasGrant(_Lasting, _Alike):
    """Adds a shared access signature to the query.

    Args:
        signature: The signature's text.

    Raises:
        InvalidCredentials: It is not valid; the message does not show it.

    Attributes:
        query: The signature as a query.
    """

    def __init__(self, signature: str) -> None:
        text = signature.strip().lstrip("?").strip("&")
        if not text.isascii() or not text.isprintable() or " " in text or "sig=" not in text:
            raise InvalidCredentials("the shared access signature (SAS) is not valid")
        self.query = text

    def authorize(self, request: Request, headers: dict[str, str], base: str) -> Request:  # noqa: ARG002
        """See `Grant.authorize`."""
        query = f"{request.query}&{self.query}" if request.query else self.query
        return replace(request, query=query)

    async def grant(self) -> Grant:
        """See `Access.grant`."""
        return self

    def __repr__(self) -> str:
        return "SasGrant(…)"


class NoGrant(_Lasting, _Alike):
    """Sends requests without credentials."""

    def authorize(self, request: Request, headers: dict[str, str], base: str) -> Request:  # noqa: ARG002
        """See `Grant.authorize`."""
        return request

    async def grant(self) -> Grant:
        """See `Access.grant`."""
        return self


class TokenGrant(Confidential, frozen=True):
    """Sends a token.

    Attributes:
        token: The token, with only characters that a header can have.
    """

    token: str

    def authorize(self, request: Request, headers: dict[str, str], base: str) -> Request:  # noqa: ARG002
        """See `Grant.authorize`."""
        headers["authorization"] = f"Bearer {self.token}"
        return request

    def signer(self, method: str, headers: dict[str, str], base: str) -> None:
        """See `Grant.signer`."""

    def __repr__(self) -> str:
        return "TokenGrant(…)"


class TokenAccess:
    """Grants by tokens.

    Args:
        tokens: The source of tokens.
        needs_loop: Whether they must be requested in an event loop.
    """

    def __init__(self, tokens: TokenSource | CallersTokens, *, needs_loop: bool = False) -> None:
        self._tokens = tokens
        self.needs_loop = needs_loop

    async def grant(self) -> Grant:
        """See `Access.grant`."""
        return TokenGrant(await self._tokens.get())

    async def instead_of(self, refused: Grant) -> Grant | None:
        """See `Access.instead_of`; a token may be revoked before it expires."""
        if not isinstance(refused, TokenGrant):
            return None
        self._tokens.drop(refused.token)
        other = TokenGrant(await self._tokens.get())
        return None if other == refused else other


class CallersAccess(_Lasting):
    """Grants by a key or signature that the caller may replace at any time.

    Args:
        credential: An ``AzureNamedKeyCredential`` or ``AzureSasCredential``.
    """

    def __init__(self, credential: Any) -> None:  # noqa: ANN401  (the SDK need not be there)
        self._credential = credential
        self._kept: tuple[object, Grant] | None = None

    async def grant(self) -> Grant:
        """See `Access.grant`."""
        credential = self._credential
        named = getattr(credential, "named_key", None)
        secret = credential.signature if named is None else named
        kept = self._kept
        if kept is None or kept[0] != secret:
            made: Grant = SasGrant(secret) if named is None else KeyGrant(SharedKey(*named))
            kept = self._kept = (secret, made)
        return kept[1]

    def __repr__(self) -> str:
        return "CallersAccess(…)"

"""Tokens from Azure's token services: managed identities and Microsoft Entra.

https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from statebucket.errors import InvalidCredentials, Unavailable, excerpt
from statebucket.port.bucket import Confidential
from statebucket.port.endpoint import is_private_link, is_private_network, require_tls
from statebucket.port.renewal import Token
from statebucket_azure.http.target import AUTHORITIES
from statebucket_http.credential_services import CredentialService, decoded, lacking
from statebucket_http.endpoints import endpoint_at, parts_of
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket_http.wire import Reply

RESOURCE = "https://storage.azure.com"
"""The resource that tokens are for."""

IMDS = "http://169.254.169.254"
"""The instance metadata service of a virtual machine."""

_OK = 200
_SERVER = 500
_FORM = "application/x-www-form-urlencoded"


class _Granted(Confidential, frozen=True):
    access_token: str
    expires_on: int | str | None = None
    expires_in: int | str | None = None

    def __repr__(self) -> str:
        return "_Granted(…)"


class _Refused(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class TokenService:
    """A service that gives tokens. Its calls block; each is one request.

    Args:
        name: Its name, for errors.
        url: Its URL, without a query.
        deadline: Seconds that a call of the store may take.
        transient: Statuses, besides those of failures, after which another try may succeed.
        platform: Whether the platform that runs this code has set the URL, which may then be in a
            private network: on a function's Consumption plan it has been seen at 172.16.1.3
            (https://github.com/pumasecurity/serverless-prey, cougar/docs/CONSUMPTION.md).

    Raises:
        InvalidArgument: The URL is not valid, or is plain HTTP, to a host that is neither this
            machine nor on its own link, nor the platform's.
    """

    def __init__(
        self,
        name: str,
        url: str,
        deadline: float,
        transient: frozenset[int] = frozenset({408, 429}),
        *,
        platform: bool = False,
    ) -> None:
        parts = parts_of(url, f"the URL of {name}")
        host = parts.hostname or ""
        near = is_private_link(host) or (platform and is_private_network(host))
        if not near:
            require_tls(url)
        self._name = name
        endpoint = endpoint_at(f"{parts.scheme}://{parts.netloc}", f"the URL of {name}")
        self._path = parts.path or "/"
        self._transient = transient
        self._service = CredentialService(
            name,
            endpoint,
            deadline,
            near=near,
            ca_setting="SSL_CERT_FILE",
            authorities=AUTHORITIES,
        )

    def query(self, values: Mapping[str, str], headers: Mapping[str, str]) -> Request:
        """The request for a token of the identity of this machine."""
        return Request("GET", self._path, urlencode(values), headers)

    def form(self, values: Mapping[str, str]) -> Request:
        """The request for a token in exchange for the values of a form."""
        return Request("POST", self._path, "", {"content-type": _FORM}, urlencode(values).encode())

    def ask(self, request: Request) -> Token:
        """A token.

        A logger may show the locals of each frame that an error passes through. So the secrets of a
        request are only in the request object, whose ``repr`` hides them.

        Raises:
            InvalidCredentials: There is no token; the message shows nothing that was sent.
            Unavailable: The service cannot be reached now, or fails; ``outcome`` is that of the
                token request.
        """
        asked = time.time()
        try:
            reply = self._service.ask(request, request.headers)
        except Unavailable as error:
            raise lacking("no access token", error) from error
        finally:
            self._service.close()  # the next token is needed hours later
        if reply.status in self._transient or reply.status >= _SERVER:
            raise Unavailable(
                f"no access token: {self._name} answered {reply.status}",
                code=excerpt(_said(reply).error) or str(reply.status),
            )
        if reply.status != _OK:
            raise _refusal(self._name, reply)
        granted = decoded(reply, _Granted)
        ends = None if granted is None else _ends(granted, asked)
        if granted is None or ends is None:
            raise Unavailable(f"no access token: {self._name}'s reply is malformed")
        return Token(granted.access_token, ends)


def no_token(reason: str, code: str | None = None) -> InvalidCredentials:
    """The error for credentials that return no token."""
    return InvalidCredentials(
        f"no usable credentials for Azure: {reason}; set AZURE_STORAGE_CONNECTION_STRING, or give "
        "the function a managed identity (AZURE_CLIENT_ID names a user-assigned one)",
        code=code,
    )


def _refusal(name: str, reply: Reply) -> InvalidCredentials:
    """The error for a refused request, with the service's code but without its text.

    A description may quote what was sent.
    """
    refused = _said(reply)
    # As in "AADSTS7000215: Invalid client …".
    numbered, _, _ = refused.error_description.partition(":")
    codes = [refused.error, numbered if numbered.startswith("AADSTS") else ""]
    said = excerpt(" ".join(code for code in codes if code))
    return no_token(
        f"{name} answered {reply.status}{said and f' {said}'}", refused.error or str(reply.status)
    )


def _said(reply: Reply) -> _Refused:
    """What an error reply says; empty if it is not from a token service."""
    return decoded(reply, _Refused) or _Refused()


def _ends(granted: _Granted, asked: float) -> float | None:
    """When a token expires, in seconds since the epoch; None if the reply does not say."""
    try:
        if granted.expires_on:
            return float(granted.expires_on)
        return asked + float(granted.expires_in) if granted.expires_in else None
    except ValueError:
        return None

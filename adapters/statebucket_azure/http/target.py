"""Where a store's container is, and what authorizes its requests; found without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import InvalidURL
from statebucket.port.endpoint import require_tls
from statebucket.port.renewal import TokenSource
from statebucket_azure.connection_strings import account_at, from_environment, no_connection_string
from statebucket_azure.http.access import (
    CallersAccess,
    KeyGrant,
    NoGrant,
    SasGrant,
    TokenAccess,
)
from statebucket_azure.http.signing import SharedKey
from statebucket_azure.options import CONNECTION_STRING
from statebucket_http.endpoints import endpoint_at

if TYPE_CHECKING:
    from statebucket_azure.http.access import Access
    from statebucket_azure.http.options import HTTPOptions
    from statebucket_http.wire import Endpoint

AUTHORITIES = (b"DigiCert", b"Microsoft")
"""Who issues the certificates of Azure's own endpoints."""

_SUFFIX = "core.windows.net"


class Target:
    """A container and the access to it.

    Attributes:
        account: The account's name, or that of an emulator in its path; empty if nothing names
            it.
        endpoint: The account's endpoint.
        access: What authorizes requests.
    """

    def __init__(self, account: str, endpoint: Endpoint, access: Access) -> None:
        self.account = account
        self.endpoint = endpoint
        self.access = access


def target_of(options: HTTPOptions, deadline: float) -> Target:
    """The account, and the access to it, from options and the environment.

    Args:
        options: The store's options.
        deadline: Seconds that a call may take.

    Raises:
        InvalidURL: There is no account, or two that differ.
        InvalidArgument: The connection string is not valid, or credentials would be sent in clear
            text.
        InvalidCredentials: The key or signature is not valid.
    """
    given = (options.account_key, options.sas_token, options.credential)
    settings = (
        {} if any(one is not None for one in given) else from_environment(options.endpoint_url)
    )
    url = _url(settings) if settings else options.account_url()
    endpoint = endpoint_at(url, CONNECTION_STRING if settings else "endpoint_url")
    account = account_at(url)
    key = settings.get("accountkey") or options.account_key
    signature = settings.get("sharedaccesssignature") or options.sas_token
    access: Access
    if key and settings.get("accountname", account or options.account):
        account = settings.get("accountname") or account or options.account or ""
        access = KeyGrant(SharedKey(account, key))
    elif key:
        raise InvalidURL("account_key needs the account's name: az://container?account=NAME")
    elif signature:
        access = SasGrant(signature)
    elif settings:
        access = NoGrant()
    elif hasattr(options.credential, "get_token") or options.credential is None:
        return _with_tokens(options, endpoint, account, deadline)
    else:
        access = CallersAccess(options.credential)
        account = getattr(options.credential, "named_key", (account,))[0]
    options.check_account(account, CONNECTION_STRING if settings else "endpoint_url")
    if not isinstance(access, NoGrant):
        require_tls(url, insecure=options.insecure_endpoint)
    return Target(account or options.account or endpoint.path.strip("/"), endpoint, access)


def _url(settings: dict[str, str]) -> str:
    """The endpoint of a connection string."""
    if url := settings.get("blobendpoint"):
        return url
    account = settings.get("accountname")
    if not account or "blobsecondaryendpoint" in settings:
        raise no_connection_string()
    scheme = settings.get("defaultendpointsprotocol", "https")
    return f"{scheme}://{account}.blob.{settings.get('endpointsuffix', _SUFFIX)}"


def _with_tokens(
    options: HTTPOptions, endpoint: Endpoint, account: str | None, deadline: float
) -> Target:
    """The target of a store that sends tokens."""
    if endpoint.scheme != "https":
        # No option allows it: anyone who reads a token on the way has its owner's rights.
        require_tls(f"{endpoint.scheme}://{endpoint.host}")
    options.check_account(account, "endpoint_url")
    if options.credential is None:
        from statebucket_azure.http.tokens import Tokens  # noqa: PLC0415  (not for keys)

        access = TokenAccess(TokenSource(Tokens(deadline).token))
    else:
        from statebucket_azure.http import callers_tokens  # noqa: PLC0415  (as above)

        access = callers_tokens.access_by(options.credential)
    return Target(account or options.account or endpoint.path.strip("/"), endpoint, access)

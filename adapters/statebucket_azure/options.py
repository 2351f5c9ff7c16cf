"""The options of ``az://`` that every engine has, in the URL or keywords of ``open_store``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Self

import msgspec

from statebucket.errors import InvalidArgument, InvalidURL, shown
from statebucket.port.url import check_endpoint, read_options

if TYPE_CHECKING:
    from statebucket.port.bucket import Location

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
"""The environment variable with the account's key or SAS, used before an identity's tokens."""

_ACCOUNT = "AZURE_STORAGE_ACCOUNT"
_SCOPE = r"[A-Za-z0-9_-]{1,63}"
_ACCOUNT_LENGTHS = range(3, 25)


class BlobOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a container, and how to write to it.

    Attributes:
        account: The storage account's name; by default that of the connection string, or that in
            AZURE_STORAGE_ACCOUNT.
        endpoint_url: The account's URL if it is not ``https://{account}.blob.core.windows.net``:
            that of another cloud, or of an emulator, which has the account as the path.
        insecure_endpoint: Whether signatures may be sent over plain HTTP to another machine, for a
            server in a network that you trust. To this machine they always may. Tokens may not.
        ttl_tags: Whether to tag blobs with their TTL class. False for accounts with a hierarchical
            namespace, which have no index tags, and for identities without the right to write
            them; ``sweep`` then removes expired blobs.
        encryption_scope: The encryption scope to write under; by default the container's own.
        credential: A credential of the caller's, never closed here: a token credential (of
            ``azure.identity.aio``), ``AzureNamedKeyCredential`` or ``AzureSasCredential``.
    """

    account: str | None = None
    endpoint_url: str | None = None
    insecure_endpoint: bool = False
    ttl_tags: bool = True
    encryption_scope: str | None = None
    credential: Any = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown or has an invalid value.
            InvalidURL: ``endpoint_url`` is not an account URL.
        """
        options = read_options(location.options, cls, keywords=location.keywords)
        if isinstance(options.credential, str | dict):
            raise InvalidArgument(
                "credential must be an object of azure.identity.aio or azure.core.credentials; "
                f"a key or SAS as text goes into {CONNECTION_STRING}"
            )
        if options.endpoint_url is not None:
            check_endpoint(options.endpoint_url)
        scope = options.encryption_scope
        if scope is not None and not re.fullmatch(_SCOPE, scope):
            raise InvalidArgument(
                f"encryption_scope must be up to 63 letters, digits, - and _: {shown(scope)}"
            )
        return options

    def account_url(self) -> str:
        """The account's URL, if no connection string has it.

        Raises:
            InvalidURL: There is no account, or its name is not valid.
        """
        if self.endpoint_url is not None:
            return self.endpoint_url
        account = self.account or os.environ.get(_ACCOUNT)
        if not account:
            raise InvalidURL(
                "az:// needs the storage account: az://container/prefix?account=NAME, "
                f"or set {_ACCOUNT} or {CONNECTION_STRING} in the environment"
            )
        letters = account.isascii() and account.isalnum() and account == account.lower()
        if not letters or len(account) not in _ACCOUNT_LENGTHS:
            raise InvalidURL(
                "a storage account's name is 3 to 24 lower-case letters and digits: "
                f"{shown(account)}"
            )
        return f"https://{account}.blob.core.windows.net"

    def check_account(self, named: str | None, where: str) -> None:
        """Compares the URL's account with the one that other settings name.

        Args:
            named: That account; None if they name none.
            where: What names it.

        Raises:
            InvalidURL: They differ.
        """
        if self.account is not None and named is not None and self.account != named:
            raise InvalidURL(
                f"the URL says account={shown(self.account)}, but {where} is for account "
                f"{shown(named)}"
            )

"""The options of ``az://…?engine=http``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from statebucket.errors import InvalidArgument
from statebucket.port.complete_types import complete_at_once
from statebucket_azure.options import BlobOptions

if TYPE_CHECKING:
    from statebucket.port.bucket import Location


@complete_at_once
class HTTPOptions(BlobOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine, and secrets as text, which are keywords only.

    Attributes:
        account_key: The account's key.
        sas_token: A shared access signature.
    """

    account_key: str | None = None
    sas_token: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.account!r}, …)"  # logged with a frame's locals

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("shown", repr(self))]  # msgspec's would show every field

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown or has an invalid value.
            InvalidURL: ``endpoint_url`` is not an account URL.
        """
        options = super().of(location)
        given = (options.account_key, options.sas_token, options.credential)
        if "" in given[:2]:  # or another source of credentials would be used unnoticed
            raise InvalidArgument("account_key and sas_token must not be empty: leave them out")
        if len([one for one in given if one is not None]) > 1:
            raise InvalidArgument(
                "account_key, sas_token and credential exclude one another: give one of them"
            )
        credential = options.credential
        kinds = ("get_token", "named_key", "signature")
        if credential is not None and not any(hasattr(credential, kind) for kind in kinds):
            raise InvalidArgument(
                "credential must be a token credential, AzureNamedKeyCredential or "
                f"AzureSasCredential, not {type(credential).__module__}."
                f"{type(credential).__name__}"
            )
        return options

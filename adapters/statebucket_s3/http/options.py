"""The options of ``s3://…?engine=http``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from statebucket.errors import InvalidArgument
from statebucket.port.complete_types import complete_at_once
from statebucket_s3.options import BucketOptions

if TYPE_CHECKING:
    from statebucket.port.bucket import Location


@complete_at_once
class HTTPOptions(BucketOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine, and where the credentials come from.

    Without a key or a session they come from the first of these that is configured, in botocore's
    order: the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_SESSION_TOKEN``); a role of the profile; a web identity
    (``AWS_WEB_IDENTITY_TOKEN_FILE``, ``AWS_ROLE_ARN``), as with IAM roles for service accounts;
    the profile's SSO, keys, login or program; the container (``AWS_CONTAINER_CREDENTIALS_*``), as
    with ECS and EKS Pod Identity; the instance, only by version 2 of its metadata service. Sources
    that a profile names, other than a web identity, need botocore; the rest needs nothing.

    Attributes:
        access_key_id: A key, as a keyword only; requires ``secret_access_key``.
        secret_access_key: Its secret.
        session_token: The token that goes with a temporary key.
        session: The caller's ``botocore`` or ``boto3`` session, for its credentials.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    session: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.access_key_id!r}, …)"  # logged with a frame's locals

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("shown", repr(self))]  # msgspec's would show every field

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown or has an invalid value.
        """
        options = super().of(location)
        if "" in {options.access_key_id, options.secret_access_key}:
            raise InvalidArgument(
                "access_key_id and secret_access_key must not be empty: leave them out for the "
                "credentials of the environment"
            )
        if (options.access_key_id is None) != (options.secret_access_key is None):
            raise InvalidArgument("access_key_id and secret_access_key must be given together")
        if options.session_token is not None and options.access_key_id is None:
            raise InvalidArgument("session_token requires access_key_id")
        if options.session is not None and not _is_session(options.session):
            raise InvalidArgument(
                "session must be a botocore or boto3 session, "
                f"not {type(options.session).__module__}.{type(options.session).__name__}"
            )
        return options


def _is_session(value: Any) -> bool:  # noqa: ANN401  (anything may be given)
    """Whether it returns credentials directly, not in a coroutine as in the asynchronous SDKs."""
    asynchronous = any(kind.__module__.startswith("aio") for kind in type(value).__mro__)
    return hasattr(value, "get_credentials") and not asynchronous

"""AWS credentials: given, from the environment, or from botocore's chain, renewed in time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from statebucket.errors import (
    AdapterNotInstalled,
    InvalidCredentials,
    StateBucketError,
    Unavailable,
)
from statebucket.port.renewal import Loader, loaded
from statebucket_s3.codes import of_code
from statebucket_s3.http.signing import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket_s3.http.options import HTTPOptions

_LASTS = 10 * 60  # seconds: a key that ends later is used while it is being renewed


class CredentialSource:
    """Where a store's credentials come from.

    A static key of the options or the environment is taken as it is. Anything else (profiles, SSO,
    roles, containers, instances) is left to botocore, which is loaded for it, in a thread.

    Args:
        options: The store's options.
    """

    def __init__(self, options: HTTPOptions) -> None:
        self._session: Any = options.session
        self._kept = _given(options)
        self._chain: Any = None
        self._loader = Loader(self._renew, "statebucket-keys")

    async def get(self) -> Credentials:
        """The credentials to sign with now.

        A temporary key that still lasts is renewed beside the calls, one that does not before them.

        Raises:
            InvalidCredentials: There are none, or they cannot be renewed.
            Unavailable: Who gives them cannot be reached.
            AdapterNotInstalled: They need botocore, which is missing.
        """
        if self._kept is None and self._session is None:
            self._kept = _environment()
        if self._kept is not None and not self._due():
            return self._kept
        loading = self._loader.start()
        if self._kept is not None and not self._due(_LASTS):
            return self._kept
        return await loaded(loading)

    def _due(self, seconds: float | None = None) -> bool:
        """Whether a temporary key ends so soon; by default, within what botocore renews it by."""
        needed = getattr(self._chain, "refresh_needed", None)  # a static key has none
        return needed is not None and bool(needed(seconds))

    def _renew(self) -> Credentials:
        self._kept = kept = self._load()
        return kept

    def _load(self) -> Credentials:
        try:
            from botocore import exceptions as sdk  # noqa: PLC0415  (120 ms)
            from botocore.session import get_session  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise AdapterNotInstalled(
                "engine=http finds no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and other "
                "credentials need botocore: pip install botocore"
            ) from error
        try:
            if self._chain is None:
                session = get_session() if self._session is None else self._session
                self._chain = session.get_credentials()
            frozen = None if self._chain is None else self._chain.get_frozen_credentials()
        except (sdk.HTTPClientError, sdk.ConnectionError) as error:
            raise Unavailable(
                f"the source of the AWS credentials cannot be reached ({type(error).__name__})"
            ) from error
        except sdk.ClientError as error:
            raise _refused(error.response, error) from error
        except Exception as error:  # providers raise what they like, and any may be plugged in
            raise _none(type(error).__name__) from error
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise _none("NoCredentialsError")
        return _sendable(
            Credentials(frozen.access_key, frozen.secret_key, frozen.token or None), "the chain"
        )


def _refused(response: Mapping[str, Any], error: Exception) -> StateBucketError:
    """The error for an answer of AWS's token services, where they give no key."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if of_code(code, "", status).transient:
        return Unavailable(f"the source of the AWS credentials answered {code}")
    return _none(f"{type(error).__name__}: {code}")


def _sendable(credentials: Credentials, source: str) -> Credentials:
    """The credentials, if they can be signed and sent with.

    Raises:
        InvalidCredentials: One holds what no header does; the message shows none of it.
    """
    token = credentials.session_token or ""
    sent = credentials.access_key_id + token
    try:
        credentials.secret_access_key.encode()
    except UnicodeEncodeError:
        sent = "\n"
    if not (sent.isascii() and sent.isprintable()):
        raise InvalidCredentials(
            f"the AWS credentials of {source} contain a line break or another invalid character"
        )
    return credentials


def _none(reason: str) -> InvalidCredentials:
    return InvalidCredentials(
        f"no usable AWS credentials ({reason}): set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the function a role"
    )


def _given(options: HTTPOptions) -> Credentials | None:
    if options.access_key_id is None or options.secret_access_key is None:
        return None
    return _sendable(
        Credentials(options.access_key_id, options.secret_access_key, options.session_token),
        "the keywords",
    )


def _environment() -> Credentials | None:
    environ = os.environ
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret or "AWS_CREDENTIAL_EXPIRATION" in environ:
        return None  # botocore reads the variables again before they expire
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    return _sendable(Credentials(key, secret, token or None), "the environment")

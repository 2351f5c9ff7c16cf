"""AWS credentials: given, from the environment, or from botocore's chain, renewed in time."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from statebucket.errors import AdapterNotInstalled, InvalidCredentials
from statebucket.loops import PerLoop
from statebucket_http.sigv4 import Credentials

if TYPE_CHECKING:
    from statebucket_http.options import HTTPOptions


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
        self._locks = PerLoop(asyncio.Lock)

    async def get(self) -> Credentials:
        """The credentials to sign with now.

        Raises:
            InvalidCredentials: There are none, or they cannot be renewed.
            AdapterNotInstalled: They need botocore, which is missing.
        """
        if self._kept is None and self._session is None:
            self._kept = _environment()
        if self._kept is not None and not self._due():
            return self._kept
        async with self._locks.get():
            if self._kept is None or self._due():
                self._kept = await asyncio.to_thread(self._load)
            return self._kept

    def _due(self) -> bool:
        """Whether a temporary key is near its end."""
        needed = getattr(self._chain, "refresh_needed", None)  # a static key has none
        return needed is not None and bool(needed())

    def _load(self) -> Credentials:
        try:
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415  (120 ms)
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
        except BotoCoreError as error:
            raise _none(type(error).__name__) from error
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise _none("NoCredentialsError")
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or None)


def _none(reason: str) -> InvalidCredentials:
    return InvalidCredentials(
        f"no usable AWS credentials ({reason}): set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the function a role"
    )


def _given(options: HTTPOptions) -> Credentials | None:
    if options.access_key_id is None or options.secret_access_key is None:
        return None
    return Credentials(options.access_key_id, options.secret_access_key, options.session_token)


def _environment() -> Credentials | None:
    environ = os.environ
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret or "AWS_CREDENTIAL_EXPIRATION" in environ:
        return None  # botocore reads the variables anew before they expire
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    return Credentials(key, secret, token or None)

"""Which source gives the keys: the first that is configured, in botocore's order."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from statebucket.errors import InvalidCredentials, excerpt, shown
from statebucket.port.dates import from_iso
from statebucket_s3.http.profiles import Profile, parsed
from statebucket_s3.http.signing import Credentials
from statebucket_s3.http.usable_keys import no_keys

if TYPE_CHECKING:
    from statebucket_s3.http.settings import Settings

_KEY = "AWS_ACCESS_KEY_ID"
_SECRET = "AWS_SECRET_ACCESS_KEY"  # noqa: S105  (a variable's name)
_TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
_ENDS = "AWS_CREDENTIAL_EXPIRATION"
# A profile's settings that require one of botocore's sources.
_LEFT = (
    "sso_account_id",
    "sso_role_name",
    "aws_access_key_id",
    "login_session",
    "credential_process",
)
_OLD_FILE = "AWS_CREDENTIAL_FILE"
_BOTO = "BOTO_CONFIG"
_BOTO_FILES = ("/etc/boto.cfg", "~/.boto")


class Source(Protocol):
    """A source of keys.

    Attributes:
        name: Its name, for the doctor.
    """

    name: str

    def load(self) -> Credentials:
        """A key; blocks.

        Raises:
            StateBucketError: There is none.
        """


class Environment:
    """The keys in the environment, read again when they expire."""

    name = "the environment"

    def load(self) -> Credentials:
        """See `Source.load`; nothing is waited for.

        Raises:
            InvalidCredentials: The secret is missing, or the key has expired.
        """
        environ = os.environ
        key, secret = environ.get(_KEY), environ.get(_SECRET)
        if not key or not secret:
            raise no_keys(f"{_KEY} and {_SECRET} must be set together")
        token = next(filter(None, map(environ.get, _TOKENS)), None)
        text = environ.get(_ENDS)
        if not text:
            return Credentials(key, secret, token)
        ends = from_iso(text)
        if ends is None:
            raise no_keys(f"{_ENDS} is not a date and time with a time zone: {shown(text)}")
        if ends.timestamp() <= time.time():
            raise InvalidCredentials(
                f"the AWS credentials in the environment expired at {excerpt(text)} ({_ENDS})"
            )
        return Credentials(key, secret, token, ends.timestamp())


class Chain:
    """The source that the environment and AWS's configuration files name.

    It is determined when the first key is needed, and kept once it has returned one.

    Args:
        settings: Region and trust.
        patience: Seconds that a call of the store may take.
        insecure: Whether plain HTTP may be used to services on other machines.
    """

    def __init__(self, settings: Settings, patience: float, *, insecure: bool) -> None:
        self._settings = settings
        self._patience = patience
        self._insecure = insecure
        self._source: Source | None = None

    @property
    def name(self) -> str:
        """The source's name, once it is known."""
        return "the chain" if self._source is None else self._source.name

    def at_hand(self) -> Credentials | None:
        """A key that is available without waiting; None if it must be loaded.

        Raises:
            InvalidCredentials: As `Environment.load`.
        """
        source = self._source
        if source is None and os.environ.get(_KEY):
            source = Environment()
        if not isinstance(source, Environment):
            return None
        key = source.load()
        self._source = source
        return key

    def load(self) -> Credentials:
        """A key; blocks.

        Raises:
            AdapterNotInstalled: It needs botocore, which is missing.
            InvalidCredentials: There is none.
            InvalidArgument: The environment or a file has an unusable setting.
            Unavailable: Its source cannot be reached, or fails.
        """
        source = self._source or self._found()
        key = source.load()
        self._source = source
        return key

    def _found(self) -> Source:
        profile = Profile()
        if profile.missing:
            raise no_keys(
                f"the profile {shown(profile.name)}, which AWS_PROFILE or AWS_DEFAULT_PROFILE "
                "names, is in neither of AWS's configuration files"
            )
        if "role_arn" in profile.settings and "web_identity_token_file" not in profile.settings:
            return _left(f"role_arn of the profile {shown(profile.name)}")
        # Only the source in use is imported.
        from statebucket_s3.http import web_identities  # noqa: PLC0415

        if web_identities.token_file_of(profile):
            return web_identities.WebIdentity(
                profile, self._settings, self._patience, insecure=self._insecure
            )
        if what := _of_botocore(profile):
            return _left(what)
        from statebucket_s3.http import containers  # noqa: PLC0415

        if os.environ.get(containers.RELATIVE) or os.environ.get(containers.FULL):
            return containers.ContainerRole(self._settings, self._patience)
        from statebucket_s3.http.instances import InstanceRole  # noqa: PLC0415

        return InstanceRole(profile, self._patience)


def _of_botocore(profile: Profile) -> str | None:
    """The configured source between web identities and containers, if there is one."""
    for name in _LEFT:
        if name in profile.settings:
            return f"{name} of the profile {shown(profile.name)}"
    if _OLD_FILE in os.environ:
        return _OLD_FILE
    named = os.environ.get(_BOTO)
    for path in (named,) if named else _BOTO_FILES:
        if "aws_access_key_id" in parsed(path).get("Credentials", {}):
            return path
    return None


def _left(what: str) -> Source:
    from statebucket_s3.http.from_botocore import BotocoreKeys  # noqa: PLC0415  (as above)

    return BotocoreKeys(None, what)

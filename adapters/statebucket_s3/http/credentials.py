"""AWS credentials: given, or from the first source that is configured, renewed in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.port.renewal import Pauses, RenewingSource
from statebucket_s3.http.chain import Chain
from statebucket_s3.http.signing import Credentials
from statebucket_s3.http.usable_keys import sendable

if TYPE_CHECKING:
    from statebucket_s3.http.from_botocore import BotocoreKeys
    from statebucket_s3.http.options import HTTPOptions
    from statebucket_s3.http.settings import Settings

_RENEW_BEFORE = 15 * 60  # seconds, as botocore does; half of what it lasts for a shorter key
_SHARE = 0.5


class CredentialSource:
    """Where a store's credentials come from.

    The options' own, else those of botocore's order: the environment; a role of the profile; a web
    identity; what else the profile and old files name; the container; the instance. Keys of the
    environment, web identities, containers and instances need no package; the rest is left to
    botocore, which is loaded for it.

    A key that ends is renewed from fifteen minutes before its end, in a thread, once for all
    callers. While it lasts, none of them waits for that or learns that it failed; then the next
    attempt is made after a pause.

    Args:
        options: The store's options.
        settings: Region and trust.
        patience: Seconds that a call of the store may take.
    """

    def __init__(self, options: HTTPOptions, settings: Settings, patience: float) -> None:
        self._static = _given(options)
        self._source: Chain | BotocoreKeys
        if options.session is None:
            self._source = Chain(settings, patience, insecure=options.insecure_endpoint)
        else:
            from statebucket_s3.http.from_botocore import BotocoreKeys  # noqa: PLC0415

            self._source = BotocoreKeys(options.session, "the keys of a session")
        self._keys = RenewingSource(self._load, "statebucket-keys", _RENEW_BEFORE, _SHARE)
        self._again: Credentials | None = None  # what S3 refused and its source gave again
        self._pauses = Pauses()

    @property
    def origin(self) -> str:
        """Where the keys come from, once there was one."""
        return "the keywords" if self._static is not None else self._source.name

    async def get(self) -> Credentials:
        """The credentials to sign with now.

        A temporary key that still lasts is renewed beside the calls, one that does not before them.

        Raises:
            InvalidCredentials: There are none, or they cannot be renewed.
            InvalidArgument: The environment or a file holds what cannot be used.
            Unavailable: Who gives them cannot be reached.
            AdapterNotInstalled: They need botocore, which is missing.
        """
        if self._static is not None:
            return self._static
        key = self._keys.current()
        return await self._new() if key is None else key

    async def instead_of(self, refused: Credentials) -> Credentials | None:
        """Credentials other than those that S3 has just called expired; None if there are none.

        This machine's clock may be late, or a key taken back before its end. A source that gives
        the same key again is asked once more only after a pause.
        """
        if self._static is not None:
            return None
        again = self._again is not None and self._again.same(refused)
        if again and not self._pauses.over() and self._source.at_hand() is None:
            return None
        self._keys.drop(refused)
        other = await self.get()
        again = other.same(refused)
        self._again = other if again else None
        self._pauses.note(lasts=not again)
        return None if again else other

    async def _new(self) -> Credentials:
        found = self._source.at_hand()
        if found is None:
            return await self._keys.load()
        key = sendable(found, self._source.name)  # without a thread, whose start costs imports
        self._keys.keep(key)
        return key

    def _load(self) -> Credentials:
        return sendable(self._source.load(), self._source.name)


def _given(options: HTTPOptions) -> Credentials | None:
    """The options' own credentials."""
    if options.access_key_id is None or options.secret_access_key is None:
        return None
    return sendable(
        Credentials(options.access_key_id, options.secret_access_key, options.session_token),
        "the keywords",
    )

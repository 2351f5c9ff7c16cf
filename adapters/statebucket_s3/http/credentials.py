"""AWS credentials: the caller's, or from the first configured source; renewed in time."""

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

_RENEW_BEFORE = 15 * 60  # seconds, as in botocore; half the lifetime of a shorter key
_SHARE = 0.5


class CredentialSource:
    """Where a store's credentials come from.

    The options' own, else the first in botocore's order: the environment; a role of the profile; a
    web identity; other sources of the profile and old files; the container; the instance. Keys of
    the environment, web identities, containers and instances need no package; botocore is loaded
    for the rest.

    A temporary key is renewed from fifteen minutes before it expires, in a thread, once for all
    callers. As long as the key is valid, no caller waits for the renewal or sees it fail; after a
    failure the next attempt is made after a pause.

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
        self._again: Credentials | None = None  # refused by S3, and returned again
        self._pauses = Pauses()

    @property
    def origin(self) -> str:
        """Where the keys come from, once there has been one."""
        return "the keywords" if self._static is not None else self._source.name

    async def get(self) -> Credentials:
        """The credentials to sign with now.

        A temporary key is renewed in the background while it is valid, and otherwise before the
        request.

        Raises:
            InvalidCredentials: There are none, or they cannot be renewed.
            InvalidArgument: The environment or a file has an unusable setting.
            Unavailable: Their source cannot be reached.
            AdapterNotInstalled: They need botocore, which is missing.
        """
        if self._static is not None:
            return self._static
        key = self._keys.current()
        return await self._new() if key is None else key

    async def instead_of(self, refused: Credentials) -> Credentials | None:
        """Credentials other than those that S3 has just called expired; None if there are none.

        This machine's clock may be late, or a key may have been revoked early. A source that
        returns the same key is asked again only after a pause.
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
        key = sendable(found, self._source.name)  # no thread: its start costs imports
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

"""The storage of a session: a write only replaces what it has read."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING

from statebucket import Version, errors
from statebucket_strands.storage import StatebucketStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import timedelta

    from statebucket import StateStore

_ONLY_NEWS: ContextVar[bool] = ContextVar("statebucket_strands_only_news", default=False)


class SessionStorage(StatebucketStorage):
    """A storage that knows the version of each value that it has read or written.

    A write is conditional on that version, so a worker that was paused, or that read the session
    before another one continued it, overwrites nothing. A value that it has deleted is created
    again. A value that it neither read nor wrote is written without a condition: such values have
    unique names.

    Args:
        store: As for `StatebucketStorage`.
        ttl: As for `StatebucketStorage`.
        session_id: The session, for messages.
        check: Raises if it must not write.
        failed: Called when a write has failed.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        ttl: timedelta | float | None,
        session_id: str,
        check: Callable[[], None],
        failed: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(store, ttl=ttl)
        self.session_id = session_id
        self._check = check
        self._failed = failed
        self._versions: dict[str, Version] = {}
        self._unsure: dict[str, set[bytes]] = {}  # hashes of values stored perhaps: no reply

    @property
    def store(self) -> StateStore:
        """The tenant's view."""
        return self._store

    @contextmanager
    def only_news(self) -> Iterator[None]:
        """Makes reads return None if the value is the one that was last read or written."""
        token = _ONLY_NEWS.set(True)
        try:
            yield
        finally:
            _ONLY_NEWS.reset(token)

    async def write(self, key: str, data: bytes) -> None:
        """Stores a value over the one last read or written: 1 request, 3 after a lost reply.

        Raises:
            VersionConflict: Another worker's value is stored, not one of this storage's own whose
                reply was lost.
            LeaseLost: The lease of the invocation is lost.
            StorageError: The write failed.
        """
        try:
            await super().write(key, data)
        except BaseException:
            await self._failed()
            raise

    async def _get(self, name: str) -> bytes | None:
        stored = await self._store.get_stored(name)
        version = Version.ABSENT if stored is None else stored.version
        known = self._versions.get(name, Version.ABSENT)
        if _ONLY_NEWS.get():
            if version == known:
                return None
            if stored is None:
                raise errors.VersionConflict(
                    f"the session {self.session_id!r} was deleted or has expired since this agent "
                    "loaded it: create the agent again",
                    object_name=name,
                )
        if version != known:
            self._unsure.pop(name, None)
        self._versions[name] = version
        return None if stored is None else stored.value

    async def _delete(self, name: str) -> None:
        await super()._delete(name)
        if name in self._versions:
            self._versions[name] = Version.ABSENT

    async def _set(self, name: str, data: bytes) -> None:
        known = self._versions.get(name)
        if known is None:
            self._check()
            await self._store.set(name, data, self._ttl)
            return
        try:
            self._versions[name] = await self._replace(name, data, known)
        except errors.VersionConflict as error:
            raise errors.VersionConflict(
                f"another worker has saved or deleted the session {self.session_id!r} since this "
                "agent loaded it, and nothing was stored: invoke the agent again, which loads the "
                "latest session",
                object_name=error.object_name,
                outcome=error.outcome,
            ) from error
        self._unsure.pop(name, None)

    async def _replace(self, name: str, data: bytes, known: Version) -> Version:
        """Writes over a version, or over an own write on that version whose reply was lost."""
        try:
            return await self._write_on(name, data, known)
        except errors.VersionConflict as error:
            current = error.current
            if current is None or _hash(current.value) not in self._unsure.get(name, ()):
                raise
            return await self._write_on(name, data, current.version)

    async def _write_on(self, name: str, data: bytes, version: Version) -> Version:
        self._check()
        try:
            return await self._store.set(
                name, data, self._ttl, if_version=version, want_current=True
            )
        except BaseException as error:
            # A cancelled call may have stored it too.
            if not isinstance(error, errors.StateBucketError) or error.outcome == "unknown":
                self._unsure.setdefault(name, set()).add(_hash(data))
            raise


def _hash(data: bytes) -> bytes:
    return sha256(data).digest()

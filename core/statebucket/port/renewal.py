"""What ends and is loaded again in time: keys and tokens, for all event loops of a process.

No caller waits while the last one loaded still lasts; those who must wait, wait for the same load.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable
from statebucket.port.forks import new_lock
from statebucket.port.waiting import here

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class Lasting(Protocol):
    """What ends.

    Attributes:
        ends: When, in seconds since the epoch: a clock that goes on while the machine sleeps.
    """

    @property
    def ends(self) -> float:
        """See above."""


T = TypeVar("T")
L = TypeVar("L", bound=Lasting)

RENEW_BEFORE = 225.0
"""Seconds before its end from which a token is renewed beside the calls. A machine's metadata
server gives the same token until five minutes before its end."""

SPARE = 10.0
"""Seconds that a key or token must still last to be sent: the way takes time, and clocks differ."""

_LONGEST = 60.0  # seconds of a load that others wait for
_PAUSE = 1.0  # seconds from a renewal that brought nothing that lasts to the next; at first
_LONGEST_PAUSE = 30.0


class Token(NamedTuple):
    """A token that says who asks.

    Attributes:
        value: What is sent.
        ends: When it ends, in seconds since the epoch: a clock that goes on while the machine
            sleeps.
    """

    value: str
    ends: float

    def __repr__(self) -> str:
        return f"Token(…, {self.ends!r})"  # logged with a frame's locals


class Loader(Generic[T]):
    """Loads something in a thread, one load at a time for all callers.

    The thread is no one's to wait for: a source may hang, and neither a caller at its deadline nor
    the end of ``asyncio.run`` waits with it. A load that takes longer than a minute is left to
    itself, and the next caller starts another.

    Args:
        load: Loads it; blocks.
        name: The thread's name.
    """

    def __init__(self, load: Callable[[], T], name: str) -> None:
        self._load = load
        self._name = name
        self._lock = new_lock(self)
        self._loading: Future[T] | None = None
        self._pid = 0  # whose thread loads it
        self._began = 0.0

    def renew_lock(self) -> None:
        """See `statebucket.port.forks.LockOwner`."""
        self._lock = threading.Lock()

    def start(self) -> Future[T]:
        """The load that is under way, or one that is started."""
        from concurrent.futures import Future  # noqa: PLC0415  (imports logging, 15 ms)

        with self._lock:
            loading = self._loading
            late = time.monotonic() - self._began > _LONGEST
            if loading is None or loading.done() or late or self._pid != os.getpid():
                loading = self._loading = Future()
                self._pid = os.getpid()
                self._began = time.monotonic()
                loading.set_running_or_notify_cancel()  # no caller cancels it for others
                try:
                    threading.Thread(
                        target=self._settle, args=(loading,), name=self._name, daemon=True
                    ).start()
                except RuntimeError:
                    loading.set_exception(
                        Unavailable("Python is shutting down and starts no more threads")
                    )
            return loading

    def _settle(self, loading: Future[T]) -> None:
        try:
            loaded = self._load()
        except BaseException as error:  # noqa: BLE001  (it is the callers')
            loading.set_exception(error)
        else:
            loading.set_result(loaded)


async def loaded(loading: Future[T]) -> T:
    """What a load ends with; to each caller its own error, to which the core adds its call."""
    try:
        return await here().result(loading)
    except StateBucketError as error:
        raise copy_of(error) from error.__cause__


def copy_of(error: StateBucketError) -> StateBucketError:
    """The error of a load for one of the callers that waited for it.

    Nothing of the caller's own request has been sent: it has no outcome but the usual.
    """
    return type(error)(error.message, code=error.code)


class Pauses:
    """The pauses between renewals that bring nothing that lasts: each twice as long as the last."""

    def __init__(self) -> None:
        self._pause = _PAUSE
        self._until = 0.0

    def over(self) -> bool:
        """Whether another may begin."""
        return time.monotonic() >= self._until

    def note(self, *, lasts: bool) -> None:
        """Takes note of how one has ended."""
        if lasts:
            self._pause = _PAUSE
            return
        self._until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class RenewingSource(Generic[L]):
    """What is renewed before it ends.

    Args:
        load: Loads it, within a caller's patience; blocks.
        name: The name of the thread that does.
        before: Seconds before its end from which it is renewed beside the calls.
        share: How much of the time that a new one lasts this may be at most.
    """

    def __init__(
        self,
        load: Callable[[], L],
        name: str,
        before: float = RENEW_BEFORE,
        share: float = 1.0,
    ) -> None:
        self._load = load
        self._loader = Loader(self._renew, name)
        self._before = before
        self._share = share
        self._kept: tuple[L, float] | None = None  # and when it is due, for threads to see both
        self._pauses = Pauses()

    def current(self) -> L | None:
        """The last one loaded, if it can be sent now; its renewal is started where it is due."""
        kept = self._kept
        if kept is None:
            return None
        now = time.time()
        value, due = kept
        if now < due:
            return value
        if value.ends - now <= SPARE:
            return None
        if self._pauses.over():
            self._loader.start()
        return value

    async def load(self) -> L:
        """A new one, for who has found no current one; all who wait for it share one load.

        Raises:
            StateBucketError: There is none; what ``load`` has raised.
        """
        return await loaded(self._loader.start())

    def keep(self, value: L) -> None:
        """Takes one that was loaded otherwise."""
        self._kept = (value, self._due(value))

    def drop(self, value: L) -> None:
        """Forgets one that the service has refused, unless there is another by now."""
        kept = self._kept
        if kept is not None and kept[0] == value:
            self._kept = None

    def _renew(self) -> L:
        kept = self._kept
        if kept is not None and time.time() < kept[1]:
            return kept[0]  # loaded since the caller looked
        lasts = False
        try:
            value = self._load()
            due = self._due(value)
            lasts = due > time.time()
        finally:
            self._pauses.note(lasts=lasts)
        newer = self._kept  # of a load that began later, where this one has hung
        if newer is None or newer[1] <= due:
            self._kept = (value, due)
        return value

    def _due(self, value: L) -> float:
        """When it is to be renewed."""
        left = max(0.0, value.ends - time.time())
        return value.ends - max(SPARE, min(self._before, self._share * left))


class TokenSource:
    """A token that is renewed before it ends.

    Args:
        load: Requests a token, within a caller's patience; blocks.
    """

    def __init__(self, load: Callable[[], Token]) -> None:
        self._source = RenewingSource(lambda: sendable(load()), "statebucket-token")

    async def get(self) -> str:
        """A token that can be sent now.

        One that still lasts is renewed beside the calls, one that does not before them.

        Raises:
            StateBucketError: There is none; what ``load`` has raised.
        """
        token = self._source.current()
        if token is None:
            token = await self._source.load()
        return token.value

    def drop(self, value: str) -> None:
        """Forgets a token that the service has refused, unless there is another by now."""
        token = self._source.current()
        if token is not None and token.value == value:
            self._source.drop(token)


def sendable(token: Token) -> Token:
    """A token, if a header can hold it.

    Raises:
        InvalidCredentials: It cannot; the message shows none of it.
    """
    if not token.value or not token.value.isascii() or not token.value.isprintable():
        raise InvalidCredentials(
            "the access token is empty, or contains a line break or another invalid character"
        )
    return token

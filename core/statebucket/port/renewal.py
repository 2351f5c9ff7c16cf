"""What ends and is loaded again in time: keys and tokens, for all event loops of a process.

No caller waits while the last one loaded still lasts; those who must wait, wait for the same load.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable
from statebucket.port.forks import new_lock
from statebucket.port.waiting import here

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")

RENEW_BEFORE = 225.0
"""Seconds before its end from which a token is renewed beside the calls. A machine's metadata
server gives the same token until five minutes before its end."""

_SPARE = 10.0  # seconds that a token must still last to be sent: the way takes time, clocks differ
_LONGEST = 60.0  # seconds of a load that others wait for
_PAUSE = 1.0  # seconds from a renewal that brought no token that lasts to the next


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


class TokenSource:
    """A token that is renewed before it ends.

    Args:
        load: Requests a token, within a caller's patience; blocks.
    """

    def __init__(self, load: Callable[[], Token]) -> None:
        self._load = load
        self._loader = Loader(self._renew, "statebucket-token")
        self._kept: Token | None = None
        self._tried = -_PAUSE

    async def get(self) -> str:
        """A token that can be sent now.

        One that still lasts is renewed beside the calls, one that does not before them.

        Raises:
            StateBucketError: There is none; what ``load`` has raised.
        """
        kept = self._kept
        left = 0.0 if kept is None else kept.ends - time.time()
        if kept is not None and left > RENEW_BEFORE:
            return kept.value
        if kept is not None and left > _SPARE:
            if time.monotonic() - self._tried >= _PAUSE:
                self._loader.start()
            return kept.value
        return (await loaded(self._loader.start())).value

    def drop(self, value: str) -> None:
        """Forgets a token that the service has refused, unless there is another by now."""
        kept = self._kept
        if kept is not None and kept.value == value:
            self._kept = None

    def _renew(self) -> Token:
        kept = self._kept
        if kept is not None and kept.ends - time.time() > RENEW_BEFORE:
            return kept  # loaded since the caller looked
        token = None
        try:
            token = sendable(self._load())
        finally:
            if token is None or token.ends - time.time() <= RENEW_BEFORE:
                self._tried = time.monotonic()
        self._kept = token
        return token


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

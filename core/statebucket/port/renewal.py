"""Keys and tokens that end and are renewed in time, for all event loops of a process.

No caller waits while the last one is still valid; callers that must wait all wait for the same
load.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable
from statebucket.port.bucket import Confidential
from statebucket.port.lock_free_future import LockFreeFuture
from statebucket.port.waiting import here

if TYPE_CHECKING:
    from collections.abc import Callable


class Lasting(Protocol):
    """A key or token that ends.

    Attributes:
        ends: When it ends, in seconds since the epoch: that clock keeps going while the machine
            sleeps.
    """

    @property
    def ends(self) -> float:
        """See above."""


T = TypeVar("T")
L = TypeVar("L", bound=Lasting)

RENEW_BEFORE = 225.0
"""Seconds before its end from which a token is renewed in the background. A machine's metadata
server gives the same token until five minutes before its end."""

SPARE = 10.0
"""Seconds that a key or token must still be valid to be sent: requests take time, and clocks
differ."""

_LONGEST = 60.0  # seconds after which no other caller joins a load
_PAUSE = 1.0  # seconds to wait after the first renewal that gave nothing valid
_LONGEST_PAUSE = 30.0


class Token(Confidential, frozen=True):
    """An access token.

    Attributes:
        value: What is sent.
        ends: When it ends, in seconds since the epoch: that clock keeps going while the machine
            sleeps.
    """

    value: str
    ends: float

    def __repr__(self) -> str:
        return f"Token(…, {self.ends!r})"


class _Load(Generic[T]):
    """One load, in progress or over.

    Attributes:
        number: Its place in the sequence of loads.
        future: What it loads.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.future: LockFreeFuture[T] = LockFreeFuture()
        self._pid = os.getpid()  # the process whose thread loads it
        self._began = time.monotonic()

    def alive(self) -> bool:
        """Whether its thread may be waited for."""
        return self._pid == os.getpid() and time.monotonic() - self._began <= _LONGEST


class Loader(Generic[T]):
    """Loads something in a thread, one load at a time for all callers.

    Nothing ever has to wait for the thread: a source may hang, and neither a caller at its deadline
    nor the end of ``asyncio.run`` waits for it. A load that takes longer than a minute is
    abandoned, and the next caller starts another.

    There is no lock: a signal handler may interrupt a caller at any step, and have another thread
    wait for a load. So each caller that finds none in progress starts a thread, and of threads
    started at the same moment the first does the work for all.

    Args:
        load: Loads it; blocks.
        name: The thread's name.
    """

    def __init__(self, load: Callable[[], T], name: str) -> None:
        self._load = load
        self._name = name
        self._last: _Load[T] | None = None
        self._begun: dict[int, _Load[T]] = {}  # by number; whoever enters one does it

    def start(self) -> LockFreeFuture[T]:
        """The load in progress, or a new one."""
        last = self._last
        if last is not None and last.alive() and not last.future.done():
            return last.future
        made: _Load[T] = _Load(1 if last is None else last.number + 1)
        try:
            threading.Thread(target=self._run, args=(made,), name=self._name, daemon=True).start()
        except RuntimeError as error:  # at interpreter exit on 3.12 and later; or too many threads
            made.future.set_exception(Unavailable(f"no thread could be started: {error}"))
        # Only now: a signal handler would wait in vain for one that has not started. A later load
        # of another caller stays: this one may be over.
        if self._last is last:
            self._last = made
        return made.future

    def _run(self, made: _Load[T]) -> None:
        while (first := self._begun.setdefault(made.number, made)) is not made:
            if first.alive():  # another caller's, which began at the same moment
                first.future.add_done_callback(partial(_follow, made.future))
                return
            made.number += 1
        self._begun.pop(made.number - 1, None)
        _settle(made.future, self._load)


def _settle(future: LockFreeFuture[T], load: Callable[[], T]) -> None:
    try:
        loaded = load()
    except BaseException as error:  # noqa: BLE001  (passed on to the callers)
        future.set_exception(error)
    else:
        future.set_result(loaded)


def _follow(future: LockFreeFuture[T], first: LockFreeFuture[T]) -> None:
    _settle(future, first.result)


async def loaded(loading: LockFreeFuture[T]) -> T:
    """Waits for a load; each caller gets its own error, to which the core adds its call."""
    try:
        return await here().result(loading)
    except StateBucketError as error:
        raise copy_of(error) from error.__cause__


def copy_of(error: StateBucketError) -> StateBucketError:
    """The error of a load for one of the callers that waited for it.

    The caller's own request has not been sent, so the outcome is the default.
    """
    return type(error)(error.message, code=error.code)


class Pauses:
    """The pauses between renewals that give nothing valid: each twice as long as the last."""

    def __init__(self) -> None:
        self._pause = _PAUSE
        self._until = 0.0

    def over(self) -> bool:
        """Whether another renewal may begin."""
        return time.monotonic() >= self._until

    def note(self, *, lasts: bool) -> None:
        """Records how a renewal ended."""
        if lasts:
            self._pause = _PAUSE
            return
        self._until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class RenewingSource(Generic[L]):
    """A key or token that is renewed before it ends.

    Args:
        load: Loads it; blocks.
        name: The name of the loading thread.
        before: Seconds before its end from which it is renewed in the background.
        share: The largest part of its lifetime that ``before`` may be.
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
        self._kept: tuple[L, float] | None = None  # and when it is due
        self._pauses = Pauses()

    def current(self) -> L | None:
        """The last one loaded, if it can be sent now; starts its renewal if that is due."""
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
        """Waits for a new one, when there is no current one; all callers that wait share one load.

        Raises:
            StateBucketError: The load failed; this is the error that ``load`` raised.
        """
        return await loaded(self._loader.start())

    def keep(self, value: L) -> None:
        """Stores one that was loaded in another way."""
        self._kept = (value, self._due(value))

    def drop(self, value: L) -> None:
        """Forgets one that the service has refused, unless it has been replaced already."""
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
        newer = self._kept  # from a load that began later, if this one hung
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

        One that is still valid is renewed in the background; one that is not, before the call.

        Raises:
            StateBucketError: The load failed; this is the error that ``load`` raised.
        """
        token = self._source.current()
        if token is None:
            token = await self._source.load()
        return token.value

    def drop(self, value: str) -> None:
        """Forgets a token that the service has refused, unless it has been replaced already."""
        token = self._source.current()
        if token is not None and token.value == value:
            self._source.drop(token)


def sendable(token: Token) -> Token:
    """Returns a token after checking that a header can hold it.

    Raises:
        InvalidCredentials: It cannot; the message shows none of it.
    """
    if not token.value or not token.value.isascii() or not token.value.isprintable():
        raise InvalidCredentials(
            "the access token is empty, or contains a line break or another invalid character"
        )
    return token

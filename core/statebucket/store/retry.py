"""The only retry policy: full jitter, a limit on attempts, one deadline for each call.

SDK retries are off, so that this module knows of every request that is sent: only then can a failed
call say whether its write may have happened.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import (
    BucketNotFound,
    DeadlineExceeded,
    Outcome,
    PreconditionFailed,
    StateBucketError,
    Throttled,
    Unavailable,
    forget_hidden,
)
from statebucket.port.waiting import here
from statebucket.store.conflicts import not_asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.store.limiter import RequestLimiter
    from statebucket.telemetry.counters import Counter

T = TypeVar("T")

MAX_TRIES = 10
"""The most times that one request is sent."""

FIRST_WAIT = 0.05
"""The longest wait before the first retry, in seconds; it doubles with each."""

LONGEST_WAIT = 2.0
"""The longest wait that backoff chooses by itself, in seconds."""


class Call:
    """A call of a store in progress.

    Attributes:
        operation: The public method's name.
        began: When it began, in the time of `statebucket.port.waiting`.
        deadline: When its caller must have an answer, in the same time.
        seconds: How long it may take.
        outcome: Whether one of its writes may have happened so far.
        urgent: Whether its requests go before those that wait.
        waited: Whether other code may have run since it began.
        waiting: The way it waits.
    """

    __slots__ = (
        *("began", "deadline", "operation", "outcome", "seconds"),
        *("urgent", "waited", "waiting"),
    )

    def __init__(self, operation: str, seconds: float, *, urgent: bool = False) -> None:
        self.operation = operation
        self.urgent = urgent
        self.seconds = seconds
        self.waiting = here()
        self.began = self.waiting.time()
        self.deadline = self.began + seconds
        self.outcome: Outcome = "none"
        self.waited = False


async def attempt(
    call: Call,
    send: Callable[[], Awaitable[T]],
    *,
    limiter: RequestLimiter,
    counter: Counter,
    object_name: str | None,
    place: str = "",
    writes: bool = False,
    conditional: bool = False,
    interval: float = 0.0,
) -> T:
    """Sends a request until it succeeds, fails for good, or the call's deadline passes.

    Args:
        call: The call that the request belongs to.
        send: Sends it once.
        limiter: Limits the requests in flight.
        counter: Counts what is sent.
        object_name: The object it is about, for errors.
        place: The bucket it goes to, for the error that it does not exist.
        writes: Whether it writes, so that after a lost reply its outcome is unknown.
        conditional: Whether it has a condition, so that the caller looks into one that fails.
        interval: Seconds that the service wants between two such requests about one object.

    Raises:
        DeadlineExceeded: The deadline passed during an attempt.
        StateBucketError: The error of the last attempt, if no further one fits into the deadline.
    """
    waiting = call.waiting
    last: StateBucketError | None = None
    for tries in range(1, MAX_TRIES + 1):
        sent = False
        try:
            with waiting.until(call.deadline):
                if not limiter.take():
                    call.waited = True
                    await limiter.turn(urgent=call.urgent)
                try:
                    sent = True
                    counter.add("requests", 1, object_name)
                    return await send()
                except StateBucketError:  # DeadlineExceeded is an OSError
                    raise
                except OSError as error:  # also a time-out of the SDK that the adapter let through
                    kind = type(error).__name__
                    failed = f"the connection failed: {kind}"
                    raise Unavailable(failed, outcome="unknown") from error
                finally:
                    call.waited = True
                    limiter.give()
        except StateBucketError as error:
            last = error
            if isinstance(error, Throttled):
                counter.add("throttles")
            _complete(error, call, object_name, place, writes=writes)
            if isinstance(error, PreconditionFailed) and not conditional:
                raise not_asked(error) from error
            wait = _wait_before(tries, error, interval)
            if not error.transient or tries == MAX_TRIES or waiting.time() + wait >= call.deadline:
                raise
            _log(call, tries, error, wait)
            counter.add("retries")
            await waiting.sleep(wait)
        except TimeoutError:
            if writes and sent:
                call.outcome = "unknown"
            before = "" if last is None else f"; the try before it failed: {last.message}"
            raise DeadlineExceeded(
                f"{call.operation}: no answer within the deadline of {call.seconds:g} s{before}",
                object_name=object_name,
                outcome=call.outcome,
            ) from last
    raise AssertionError("unreachable: the last attempt returns or raises")


def _complete(
    error: StateBucketError, call: Call, object_name: str | None, place: str, *, writes: bool
) -> None:
    """Adds to an adapter's error what only the call knows, and drops what it hides."""
    forget_hidden(error)
    if writes and error.outcome == "unknown":
        call.outcome = "unknown"
    error.object_name = error.object_name or object_name
    error.outcome = call.outcome
    if isinstance(error, BucketNotFound) and place and repr(place) not in error.message:
        error.message += f" (bucket {place!r})"


def _log(call: Call, tries: int, error: StateBucketError, wait: float) -> None:
    # Not imported here: it takes 15 ms, and no one listens; another thread may be importing it.
    logger_of = getattr(sys.modules.get("logging"), "getLogger", None)
    if logger_of is not None:
        logger_of("statebucket").debug(
            "%s: try %d failed with %s, next in %.3f s",
            call.operation,
            tries,
            type(error).__name__,
            wait,
        )


def _wait_before(tries: int, error: StateBucketError, interval: float) -> float:
    """Seconds until the next attempt: full jitter, but no sooner than the service asked for.

    Where a request may have come too soon after another one, two attempts outlast the interval: a
    shorter wait would mostly be refused again.
    """
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1))
    shortest = interval / 2 if isinstance(error, Throttled) else 0.0
    return max(shortest + jitter(longest), error.retry_after or 0.0)


def jitter(longest: float) -> float:
    """Random seconds to wait, up to ``longest``, so that callers that failed together spread."""
    # Without `random`: it takes 5 ms to import, and this may run where nothing can be imported.
    return longest * int.from_bytes(os.urandom(6), "big") / 2**48

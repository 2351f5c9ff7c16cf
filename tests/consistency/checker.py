"""Is a history linearizable? After Wing and Gong, with the visited states remembered.

A history is linearizable if its operations can be put in one order that respects real time (who
ended before another began comes first) and in which each does what it was seen to do. The object is
a register: it is absent, or holds the token of the write that made it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Literal

ABSENT = 0
"""The token of an object that does not exist; those of writes are positive."""

ALWAYS = -1
"""The condition of a plain write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call, as its caller saw it.

    Attributes:
        worker: Who called.
        kind: What it did; clean-ups are deletes, and a miss saw that its own write is not there.
        began: When it was called, in nanoseconds.
        ended: When it answered; infinite for one that may take effect at any later time.
        token: What was read or written; `ABSENT` for a read that found nothing.
        condition: What a write demands: `ALWAYS`, `ABSENT`, or the token to be replaced.
        refused: Whether the answer was that the condition does not hold.
        optional: Whether it may never take effect.
        version: What the store called the version that was read or written.
    """

    worker: int
    kind: Literal["read", "write", "delete", "miss"]
    began: float
    ended: float
    token: int = ABSENT
    condition: int = ALWAYS
    refused: bool = False
    optional: bool = False
    version: str | None = None

    def again(self, times: int) -> list[Operation]:
        """Give the further effects that a request sent several times may have had."""
        return [replace(self, optional=True, version=None)] * times

    def forgotten(self) -> Operation:
        """Give the operation with an unknown outcome: it takes effect later, or never."""
        return replace(self, ended=math.inf, refused=False, optional=True, version=None)


def order(history: list[Operation], initial: int = ABSENT) -> list[Operation] | None:
    """Find an order that explains a history.

    Args:
        history: The operations.
        initial: What the object held before.

    Returns:
        Such an order, without the optional operations that did not happen; None if there is none.
    """
    # Whoever writes a token twice (a request that was sent again) makes two versions of it, and a
    # condition on one of them may or may not hold for the other.
    written = Counter(op.token for op in history if op.kind == "write" and not op.refused)
    unsure = {token for token, times in written.items() if times > 1}
    whole = (1 << len(history)) - 1
    seen: set[tuple[int, int]] = set()

    def search(left: int, state: int) -> list[Operation] | None:
        waiting = [op for at, op in enumerate(history) if left >> at & 1]
        if all(op.optional for op in waiting):
            return []
        if (left, state) in seen:
            return None
        seen.add((left, state))
        # Nothing comes before an operation that must happen and had ended when it began; and an
        # optional one has had its time once something that began after its end has happened.
        first_end = min(op.ended for op in waiting if not op.optional)
        last_begin = max(
            (op.began for at, op in enumerate(history) if not left >> at & 1), default=-math.inf
        )
        for at, op in enumerate(history):
            if not left >> at & 1 or op.began > first_end or op.ended < last_begin:
                continue
            for after in _effects(op, state, unsure):
                rest = search(left & ~(1 << at), after)
                if rest is not None:
                    return [op, *rest]
        return None

    return search(whole, initial)


def _effects(op: Operation, state: int, unsure: set[int]) -> list[int]:
    """The states that an operation may leave behind; none if it cannot have happened here."""
    if op.kind == "read":
        return [state] if op.token == state else []
    if op.kind == "miss":
        return [state] if op.token != state else []
    if op.kind == "delete":
        return [ABSENT]
    holds = op.condition in {ALWAYS, state}
    doubtful = op.condition == state and state in unsure
    if op.refused:
        return [] if holds and not doubtful else [state]
    return [op.token] if holds else []


def mixed_versions(history: list[Operation]) -> list[str]:
    """Find versions that stand for two writes, and writes that are known by two versions.

    Args:
        history: The operations.

    Returns:
        What is wrong, in words.
    """
    written = Counter(op.token for op in history if op.kind == "write" and not op.refused)
    tokens, versions = defaultdict(set), defaultdict(set)
    for op in history:
        if op.version is not None:
            tokens[op.version].add(op.token)
            versions[op.token].add(op.version)
    wrong = [f"{version} stands for {found}" for version, found in tokens.items() if len(found) > 1]
    return wrong + [
        f"{token} is known as {found}"
        for token, found in versions.items()
        if len(found) > 1 and written[token] == 1
    ]


def shown(history: list[Operation]) -> str:
    """A history as a failed test prints it, times in microseconds."""
    start = min(op.began for op in history)
    return "\n".join(
        f"{(op.began - start) / 1000:9.0f} {(op.ended - start) / 1000:9.0f}  worker {op.worker} "
        f"{op.kind} {op.token} if {op.condition}"
        f"{' refused' if op.refused else ''}{' perhaps' if op.optional else ''} {op.version or ''}"
        for op in sorted(history, key=lambda op: op.began)
    )

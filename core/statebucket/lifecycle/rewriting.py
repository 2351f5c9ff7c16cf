"""Changing a bucket's rules while someone else may be changing them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import PreconditionFailed, Unavailable
from statebucket.port.lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket.contract.lifecycle import Rule
    from statebucket.port.lifecycle import LifecyclePort, UnreadableRules

T = TypeVar("T")

MAX_TRIES = 5  # to write rules that someone else keeps changing


async def rewritten(
    operation: str,
    port: LifecyclePort,
    decide: Callable[[Lifecycle | UnreadableRules], tuple[T, Sequence[Rule] | None]],
) -> tuple[T, bool]:
    """Reads a bucket's rules and writes changed ones: 2 requests, 1 if nothing changes.

    Args:
        operation: The public call, for the error.
        port: The adapter.
        decide: Takes the rules that were read, and returns a result and all rules to write; None to
            write none.

    Returns:
        The result, and whether rules were written.

    Raises:
        Unavailable: Someone else kept changing them.
    """
    for _ in range(MAX_TRIES):
        found = await port.read_lifecycle()
        result, rules = decide(found)
        if rules is None or not isinstance(found, Lifecycle):
            return result, False
        try:
            await port.write_lifecycle(rules, found)
        except PreconditionFailed:
            continue  # someone else has changed the rules since: that change must survive
        return result, True
    raise Unavailable(
        f"{operation}: gave up after {MAX_TRIES} attempts: the bucket's rules kept changing "
        "(concurrent writer)"
    )

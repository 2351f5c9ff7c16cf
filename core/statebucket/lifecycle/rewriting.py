"""Changing a bucket's rules, which somebody else may be changing at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import PreconditionFailed, Unavailable
from statebucket.port.lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket.contract.lifecycle import Rule
    from statebucket.port.lifecycle import LifecyclePort, UnreadableRules

T = TypeVar("T")

MAX_TRIES = 5  # at a change that somebody else's keeps overtaking


async def rewritten(
    operation: str,
    port: LifecyclePort,
    decide: Callable[[Lifecycle | UnreadableRules], tuple[T, Sequence[Rule] | None]],
) -> tuple[T, bool]:
    """Reads a bucket's rules and writes what is decided on them: 2 requests, 1 if that is nothing.

    Args:
        operation: The public call, for the error.
        port: The adapter.
        decide: Makes of what was read a result, and all rules to write; None for none to write.

    Returns:
        The result, and whether rules were written.

    Raises:
        Unavailable: Somebody else kept changing them.
    """
    for _ in range(MAX_TRIES):
        found = await port.read_lifecycle()
        result, rules = decide(found)
        if rules is None or not isinstance(found, Lifecycle):
            return result, False
        try:
            await port.write_lifecycle(rules, found)
        except PreconditionFailed:
            continue  # somebody else has changed the rules since: their change must survive
        return result, True
    raise Unavailable(
        f"{operation}: gave up after {MAX_TRIES} attempts: the bucket's rules kept changing "
        "(concurrent writer)"
    )

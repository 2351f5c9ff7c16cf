"""Compare and swap: load, change, write, and start again if another writer was quicker."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeVar

from statebucket.contract.versions import Version
from statebucket.errors import VersionConflict
from statebucket.port.waiting import here
from statebucket.store.conflicts import ConflictingObject
from statebucket.store.envelope import Found, value_of
from statebucket.store.retry import FIRST_WAIT, LONGEST_WAIT, jitter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.store.objects import Objects
    from statebucket.store.retry import Call

R = TypeVar("R")


async def swapped(
    objects: Objects,
    call: Call,
    name: str,
    change: Callable[[Found | None], Callable[[Version], Awaitable[R]]],
) -> R:
    """Changes an object while others may do so too: 2 requests, and 2 more for each lost race.

    Args:
        objects: The bucket's objects.
        call: The call it belongs to; its deadline ends the races.
        name: The object.
        change: Takes the live object, or None, and returns a function that writes the next value
            over the version it is given. On a lost race that function reads the winner
            (``Objects.put(…, look_with_get=True)``). Errors of ``change`` reach the caller. If the
            object expires while it runs, it is called again with None.

    Returns:
        What the last write returned.

    Raises:
        VersionConflict: Others were quicker until the deadline; nothing was written. Or a reply was
            lost and another has written since (``outcome="unknown"``): trying again could apply the
            change twice.
    """
    found = await objects.get(call, name, expired=True)
    for race in itertools.count(1):
        # An expired object counts as missing, but a create would fail: it is replaced.
        live = None if found is None or objects.expired(found.info) else found
        write = change(live)
        if live is not None and objects.expired(live.info):
            write = change(None)  # it has expired while the caller's function ran
        try:
            return await write(Version.ABSENT if found is None else found.info.version)
        except VersionConflict as lost:
            if lost.outcome == "unknown":
                raise _for_caller(lost) from lost.__cause__
            # The first time at once, with the winner that was read. After that with jitter:
            # otherwise many writers would keep colliding.
            if race == 1 and isinstance(lost, ConflictingObject):
                found = Found(lost.found.info, value_of(lost.found))
                continue
            wait = jitter(min(LONGEST_WAIT, FIRST_WAIT * 2**race))
            if here().time() + wait >= call.deadline:
                raise VersionConflict(
                    f"{call.operation}: other writers were quicker {race} times within the "
                    f"deadline of {call.seconds:g} s",
                    object_name=name,
                ) from _for_caller(lost)
        await here().sleep(wait)
        found = await objects.get(call, name, expired=True)
    raise AssertionError("unreachable: the races end by a return or an error")


def _for_caller(lost: VersionConflict) -> VersionConflict:
    return lost.for_caller() if isinstance(lost, ConflictingObject) else lost

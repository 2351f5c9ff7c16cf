"""What a caller sees of the object that a condition was lost to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from statebucket.errors import CorruptObject
from statebucket.store.envelope import Found, stored, value_of
from statebucket.store.objects import ConflictingObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statebucket.contract.versions import Stored
    from statebucket.port.bucket import Object
    from statebucket.store.objects import Objects


@contextlib.contextmanager
def showing_current(
    objects: Objects, read: Callable[[Found], Stored[Any]] | None = None
) -> Iterator[None]:
    """Puts what won into the `VersionConflict` of the block, where the block has looked at it.

    Args:
        objects: Where it is kept.
        read: Decodes it; by default it is bytes.
    """
    try:
        yield
    except ConflictingObject as lost:
        current = _current(objects, lost.found, read or _as_bytes)
        raise lost.for_caller(current) from lost.__cause__


def _as_bytes(found: Found) -> Stored[bytes]:
    return stored(found, bytes(found.body))


def _current(
    objects: Objects, found: Object, read: Callable[[Found], Stored[Any]]
) -> Stored[Any] | None:
    try:
        if objects.expired(found.info):
            return None
        return read(Found(found.info, value_of(found)))
    except CorruptObject:
        return None  # that the race is lost is what the caller has to know

"""Failed conditions: the object that won, and what a caller sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket.contract.versions import Version
from statebucket.errors import CorruptObject, RequestRejected, VersionConflict, shown
from statebucket.store.envelope import Found, stored, value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from statebucket.contract.versions import Stored
    from statebucket.errors import Outcome, PreconditionFailed
    from statebucket.port.bucket import Object
    from statebucket.store.objects import Objects
    from statebucket.store.retry import Call


class ConflictingObject(VersionConflict):
    """A `VersionConflict` that holds the object that won.

    It is for callers within the core that asked to see that object; it never leaves a store.
    """

    def __init__(self, message: str, *, object_name: str, outcome: Outcome, found: Object) -> None:
        super().__init__(message, object_name=object_name, outcome=outcome)
        self.found = found

    def for_caller(self, current: Stored[Any] | None = None) -> VersionConflict:
        """The same error in the form that a caller of the store may see."""
        return VersionConflict(
            self.message, object_name=self.object_name, outcome=self.outcome, current=current
        )


def lost_to(message: str, call: Call, name: str, found: Object | None) -> VersionConflict:
    """The error for a lost race; ``found`` is the object that won, if it was read."""
    if found is None:
        return VersionConflict(message, object_name=name, outcome=call.outcome)
    return ConflictingObject(message, object_name=name, outcome=call.outcome, found=found)


def not_understood(
    call: Call, name: str, version: Version, failed: PreconditionFailed
) -> RequestRejected:
    """The error for a condition that is true but that the service refuses."""
    what = "does not exist" if version == Version.ABSENT else f"is at version {shown(str(version))}"
    advice = f": {failed.remedy}" if failed.remedy else ""
    return RequestRejected(
        f"{call.operation}: the service rejected a condition that is true (the object {what}); "
        f"it does not support conditional requests in this form{advice}",
        object_name=name,
        outcome=call.outcome,
    )


def not_asked(failed: PreconditionFailed) -> RequestRejected:
    """The error for a condition that the service says has failed, where none was sent."""
    return RequestRejected(
        f"the service says that a condition failed, but the request had none: {failed.message}",
        object_name=failed.object_name,
        outcome=failed.outcome,
        code=failed.code,
    )


def _as_bytes(found: Found) -> Stored[bytes]:
    return stored(found, bytes(found.body))


class ShowingCurrent:
    """Puts the object that won into the block's `VersionConflict`, if the block has read it.

    A class, since each write enters it: a generator's context manager costs three times as much.

    Args:
        objects: Where it is kept.
        read: Decodes it; by default it is bytes.
    """

    __slots__ = ("_objects", "_read")

    def __init__(self, objects: Objects, read: Callable[[Found], Stored[Any]] = _as_bytes) -> None:
        self._objects = objects
        self._read = read

    def __enter__(self) -> None:
        """Enters the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ConflictingObject):
            current = _current(self._objects, error.found, self._read)
            raise error.for_caller(current) from error.__cause__


def _current(
    objects: Objects, found: Object, read: Callable[[Found], Stored[Any]]
) -> Stored[Any] | None:
    try:
        if objects.expired(found.info):
            return None
        return read(Found(found.info, value_of(found)))
    except CorruptObject:
        return None  # the caller must at least learn that the race is lost

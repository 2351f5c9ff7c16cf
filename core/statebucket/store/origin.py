"""How a store was opened: what is pickled of it, and opened again where it is unpickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket.errors import UnsupportedOperation
from statebucket.port.bucket import Confidential

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.port.bucket import Location
    from statebucket.store.context import StoreContext

_INSTEAD = "open a store in the process that uses it"


class Origin(Confidential, frozen=True):
    """How a store was opened.

    It is a value of its own, so that views that are pickled together share their store again.

    Attributes:
        reopen: Opens it again, with the location and then ``more``.
        name: The bucket's, for errors.
        location: Where another process finds the bucket, or None if none does.
        more: The further arguments.
        keywords: Those objects of the caller's that are among both, by their option's name.
    """

    reopen: Callable[..., StoreContext]
    name: str
    location: Location | None
    more: tuple[Any, ...]
    keywords: dict[str, Any]

    def __repr__(self) -> str:
        return f"Origin({self.location!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.location is None:
            raise UnsupportedOperation(
                f"a store of kind {self.name!r} exists only within its process and cannot be "
                f"pickled or copied: {_INSTEAD}"
            )
        for option, value in self.keywords.items():
            if not _can_be_pickled(value):
                raise UnsupportedOperation(
                    f"the store was opened with {option}=, whose {type(value).__name__} cannot be "
                    f"pickled: {_INSTEAD}"
                )
        return self.reopen, (self.location, *self.more)


def _can_be_pickled(value: object) -> bool:
    """Whether it can; why it cannot is not shown, since it may be a secret."""
    import pickle  # noqa: PLC0415  (3 ms that a cold start need not spend)

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001  (a class raises what it likes)
        return False
    return True


def view_of(context: StoreContext, changes: dict[str, Any]) -> StoreContext:
    """The context of a view of a store that was opened again."""
    return context.but(**changes)

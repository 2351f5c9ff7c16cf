"""What a store is made of, for the tools that look at a whole bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from statebucket.store.layout import Names
    from statebucket.store.objects import Objects
    from statebucket.store.owners import OwnerIndex
    from statebucket.store.store import ObjectStateStore


class Parts(NamedTuple):
    """The inside of a store.

    Attributes:
        objects: The bucket's objects.
        names: How they are named.
        owners: The owner records, or None where there are none.
        seconds: The deadline of each call.
        tenant: The tenant that the store is bound to, or None.
    """

    objects: Objects
    names: Names
    owners: OwnerIndex | None
    seconds: float
    tenant: str | None

    @classmethod
    def of(cls, store: ObjectStateStore) -> Parts:
        """Takes a store apart."""
        return cls(
            store._objects,  # noqa: SLF001  (here and below: this is the one place that does)
            store._names,  # noqa: SLF001
            store._owners,  # noqa: SLF001
            store._deadline,  # noqa: SLF001
            store._tenant,  # noqa: SLF001
        )

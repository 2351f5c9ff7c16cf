"""What clean-ups report. Reports of several partitions add up: ``first + second``."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, TypeVar

import msgspec

R = TypeVar("R", bound=msgspec.Struct)

_SHOWN = 3


class Brief:
    """A report whose ``repr`` shows only the first entries of what may have thousands."""

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]

    unshown: ClassVar[frozenset[str]] = frozenset()
    """Fields that its ``repr`` leaves out: they matter to a sum of reports only."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_brief(value)}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        names = [name for name in self.__struct_fields__ if name not in self.unshown]
        return [(name, getattr(self, name)) for name in names]


def _brief(value: Any) -> str:  # noqa: ANN401  (a field of any kind)
    if not isinstance(value, dict | tuple) or len(value) <= _SHOWN:
        return repr(value)
    entries = value.items() if isinstance(value, dict) else value
    shown = repr(type(value)(islice(entries, _SHOWN)))
    return f"{shown[:-1]}, … {len(value) - _SHOWN:,} more{shown[-1]}"


def added(first: R, second: R) -> R:
    """The sum of two reports, field by field; where either field is None, so is the sum."""
    fields = {
        name: _sum(getattr(first, name), getattr(second, name))
        for name in first.__struct_fields__
        if name != "as_of"
    }
    if "as_of" in first.__struct_fields__:
        fields["as_of"] = earlier(getattr(first, "as_of", None), getattr(second, "as_of", None))
    return type(first)(**fields)


def earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    """The earlier of two moments, or the one that there is."""
    return min((one for one in (first, second) if one is not None), default=None)


def _sum(first: Any, second: Any) -> Any:  # noqa: ANN401  (numbers, or None)
    return None if first is None or second is None else first + second


class DeletionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `delete_execution_state`, `delete_tenant` or `delete_many` removed.

    Attributes:
        snapshots: Snapshots removed; None if the service does not say whether there was one.
        keys: Keys removed.
        leases: Lease records removed.
        owners: Owner records removed.
        bytes: Their stored size, as far as the listing shows it.
        foreign: Objects in the same place that statebucket does not write; they stay.
        unreported: Keys that are gone after `delete_many` but may not have existed before: S3 does
            not say, and after a lost reply it cannot be known.
    """

    snapshots: int | None = 0
    keys: int = 0
    leases: int = 0
    owners: int = 0
    bytes: int = 0
    foreign: int = 0
    unreported: int = 0

    def __add__(self, other: DeletionReport) -> DeletionReport:
        return added(self, other)


class SweepReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `sweep` found and did.

    Attributes:
        scanned: Objects looked at.
        expired: Those past their expiry (and the margin).
        removed: Those that this call removed, and no other; on S3, which does not say whether an
            object was there, two calls at the same time may both count it. With ``dry_run`` those
            that it would have removed.
        raced: Those that were written again before they could be removed, and stay.
        corrupt: Objects that statebucket did not write; they stay.
        owners: Owner records removed, whose execution has nothing left.
        repaired: Owner records written, for snapshots that had lost theirs.
        orphans: Executions found that have keys and no live snapshot.
        orphan_keys: Keys of those that were removed; with ``dry_run``, those that would have been.
        bytes: The stored size of what was removed.
        as_of: When the inventory report was taken that the names are from: what was written since
            was not looked at. None if the store was listed.
    """

    scanned: int = 0
    expired: int = 0
    removed: int = 0
    raced: int = 0
    corrupt: int = 0
    owners: int = 0
    repaired: int = 0
    orphans: int = 0
    orphan_keys: int = 0
    bytes: int = 0
    as_of: datetime | None = None

    def __add__(self, other: SweepReport) -> SweepReport:
        return added(self, other)

"""What a copy between two stores reports."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

import msgspec

from statebucket.contract.reports import Brief
from statebucket.store.failures import MAX_SAMPLE


class CopyReport(Brief, msgspec.Struct, frozen=True, kw_only=True):
    """What a copy has done so far, or in all once it has ended.

    Attributes:
        total: Objects that the source had when the copy began.
        tenants: Tenants that are copied; for a part, those that have something in it.
        tenant: The tenant that is being copied, or was last; None for keys without a tenant.
        missing: Tenants that were asked for and have nothing at the source. Then no tenant is
            copied.
        seen: Objects of the source that were looked at. 0 if it has nothing to copy, as where its
            prefix is misspelt.
        copied: Those written to the destination, and read back.
        same: Those that the destination had already, with the same value and expiry.
        newer: Those left alone because the destination's snapshot of their execution is newer.
        kept: Keys of no execution that differ at the destination, which keeps its own.
        gone: Those that expired or were deleted meanwhile.
        failed: Those that could not be copied, with those of the same execution that wait for them.
        bytes: The size of the values that were written.
        failures: The errors of the first 100 objects at fault, by their names at the source.
        names: For a part, the tenants that have something in it, so that adding parts up counts
            each tenant once.
    """

    total: int = 0
    tenants: int = 0
    tenant: str | None = None
    missing: tuple[str, ...] = ()
    seen: int = 0
    copied: int = 0
    same: int = 0
    newer: int = 0
    kept: int = 0
    gone: int = 0
    failed: int = 0
    bytes: int = 0
    failures: dict[str, str] = {}
    names: set[str] = set()

    unshown: ClassVar[frozenset[str]] = frozenset({"names"})

    @property
    def ok(self) -> bool:
        """Whether the destination has everything that it should have."""
        return self.failed == 0 and not self.missing

    def __add__(self, other: CopyReport) -> CopyReport:
        numbers = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        failures = dict(islice((self.failures | other.failures).items(), MAX_SAMPLE))
        missing = self.missing + other.missing
        names = self.names | other.names
        if names:
            numbers["tenants"] = len(names)
        return CopyReport(**numbers, failures=failures, missing=missing, names=names)


_NUMBERS = tuple(
    name
    for name in CopyReport.__struct_fields__
    if name not in {"tenant", "missing", "failures", "names"}
)

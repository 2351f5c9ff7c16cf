"""A part of what a store holds, for one of several workers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from statebucket.contract.segments import decode, encode
from statebucket.errors import InvalidArgument, shown

AREAS = ("tenants", "shared", "owners")
"""The areas of a store in the order in which partitions divide them: owner records come last."""

MAX_PARTITIONS = 100_000


class Position(NamedTuple):
    """A place in the order that partitions divide: an id or key of one scope.

    Attributes:
        area: The index in `AREAS`.
        tenant: The tenant's segment in object names; empty in the other areas.
        id: The segment of the execution's id, or of a key that belongs to none.
    """

    area: int
    tenant: str
    id: str

    @property
    def text(self) -> str:
        """The form that `position` reads."""
        tenant = f"{self.tenant}/" if self.tenant else ""
        return f"{AREAS[self.area]}/{tenant}{self.id}"


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """One of the parts into which `StateStore.partitions` divides a store, or a tenant.

    A whole execution lies in one part: its snapshot, its keys and its lease. So what a call decides
    about an execution does not depend on how the store is divided. (Keys of an execution that were
    set without a tenant, and owner records, lie in parts of their own. A call that decides about
    those looks up the rest of the execution, whichever part it lies in.)

    Attributes:
        index: Its number, from 0.
        count: How many there are.
        start: The position after which it begins, such as ``tenants/acme/exec-5``; None for the
            beginning of the store.
        end: The last position in it; None for the end of the store.
        tenant: The tenant that is divided; None for the whole store.
        report: The address of the inventory report whose files are shared out instead: this part
            has each ``count``-th of them, and neither beginning nor end.
    """

    index: int
    count: int
    start: str | None = None
    end: str | None = None
    tenant: str | None = None
    report: str | None = None

    def __post_init__(self) -> None:
        """Refuses values that `StateStore.partitions` never returns."""
        for what, value in (("index", self.index), ("count", self.count)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise InvalidArgument(f"a partition's {what} must be an int: {shown(value)}")
        if not 0 <= self.index < self.count <= MAX_PARTITIONS:
            raise InvalidArgument(
                "a partition's index must be from 0 to its count - 1, and its count at most "
                f"{MAX_PARTITIONS:,}: index {self.index}, count {self.count}"
            )
        if self.tenant is not None:
            encode(self.tenant, what="a partition's tenant")
        if self.report is not None and not (isinstance(self.report, str) and self.report):
            raise InvalidArgument(
                f"a partition's report must be a manifest's address: {shown(self.report)}"
            )
        if self.report is not None and (self.start is not None or self.end is not None):
            raise InvalidArgument("a partition of a report has neither start nor end")
        start = None if self.start is None else position(self.start)
        end = None if self.end is None else position(self.end)
        if start is not None and end is not None and end <= start:
            raise InvalidArgument(
                f"a partition's end must come after its start: {shown(self.start)}, "
                f"{shown(self.end)}"
            )
        for bound in (start, end):
            theirs = None if bound is None or not bound.tenant else decode(bound.tenant)
            if self.tenant is not None and bound is not None and theirs != self.tenant:
                raise InvalidArgument(
                    f"a partition of tenant {shown(self.tenant)} must begin and end within that "
                    f"tenant: {shown(bound.text)}"
                )

    def to_dict(self) -> dict[str, Any]:
        """The partition as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Partition:
        """Reads a partition back from what `to_dict` returned.

        Raises:
            InvalidArgument: It is not one.
        """
        if not isinstance(fields, Mapping):
            raise InvalidArgument(f"a partition must be a dict: {shown(fields)}")
        unknown = set(fields) - set(cls.__struct_fields__)
        if unknown:
            raise InvalidArgument(f"a partition has no field {shown(min(map(str, unknown)))}")
        try:
            return msgspec.convert(dict(fields), cls)
        except msgspec.ValidationError as error:
            cause = error.__cause__
            text = cause.message if isinstance(cause, InvalidArgument) else str(error)
            raise InvalidArgument(f"not a partition: {text}") from error


msgspec.json.Decoder(Partition)  # msgspec completes the type now, not in two threads at a time


def position(text: str) -> Position:
    """The position of its text form.

    Raises:
        InvalidArgument: It is not one.
    """
    parts = text.split("/") if isinstance(text, str) else []
    match parts:
        case ["tenants", tenant, segment]:
            area, tenant_segment = 0, tenant
        case ["shared" | "owners" as name, segment]:
            area, tenant_segment = AREAS.index(name), ""
        case _:
            raise _no_position(text)
    if decode(segment) is None or (tenant_segment and decode(tenant_segment) is None):
        raise _no_position(text)
    if area == 0 and not tenant_segment:
        raise _no_position(text)
    return Position(area, tenant_segment, segment)


def divided(ends: list[Position], tenant: str | None) -> list[Partition]:
    """The partitions between the given positions, in order. Together they leave nothing out.

    Args:
        ends: Where one ends and the next begins, in ascending order.
        tenant: The tenant that is divided; None for the whole store.
    """
    texts = [None, *(end.text for end in ends), None]
    return [
        Partition(index=index, count=len(ends) + 1, start=start, end=end, tenant=tenant)
        for index, (start, end) in enumerate(pairwise(texts))
    ]


def shared_out(report: str, files: int, n: int, tenant: str | None) -> list[Partition]:
    """The parts of an inventory report, each of about as many files; at least one.

    Args:
        report: The report's address.
        files: How many files it has.
        n: How many parts to make; there are fewer where there are fewer files.
        tenant: The tenant to work on; None for the whole store.
    """
    count = max(1, min(n, files))
    return [
        Partition(index=index, count=count, tenant=tenant, report=report) for index in range(count)
    ]


def _no_position(text: object) -> InvalidArgument:
    return InvalidArgument(
        "a partition's start and end must read 'tenants/TENANT/ID', 'shared/ID' or 'owners/ID', as "
        f"partitions() writes them: {shown(text)}"
    )

"""Object names: where a store keeps each object, and what a name says about its object.

```
{prefix}/tenants/{tenant}/snapshots/{execution}
{prefix}/tenants/{tenant}/executions/{execution}/{key}
{prefix}/tenants/{tenant}/keys/{key}
{prefix}/tenants/{tenant}/leases/{execution}
{prefix}/shared/executions/{execution}/{key}
{prefix}/shared/keys/{key}
{prefix}/owners/{execution}/{tenant}
```

Each id or key is one segment; see `statebucket.contract.segments`. This module alone writes object
names and reads them: `Layout.parse` is the inverse of `Layout.name`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from statebucket.contract.segments import (
    EXECUTION_KEY,
    PLAIN,
    beginnings,
    decode,
    encode,
    encode_execution,
    execution_key,
    id_below,
)
from statebucket.errors import InvalidKey, shown

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NAME_BYTES = 1024
"""The longest object name that S3, GCS and Azure all take, in bytes."""

_FEW = 16  # names that are read before an expression is compiled for it

PROBE = "statebucket-doctor-"
"""How the last segment begins of an object that the doctor writes, with a TTL."""

Kind: TypeAlias = Literal["snapshot", "key", "lease", "owner"]


class Place(msgspec.Struct, frozen=True):
    """What an object is, and whose it is.

    Attributes:
        kind: A snapshot, a key, a lease record, or an owner record.
        tenant: The tenant; None for a key that was set without one.
        execution: The execution; None for a key that belongs to none.
        key: Of a key: its text, without the ``exec:{execution}:`` of one that belongs to an
            execution.
    """

    kind: Kind
    tenant: str | None = None
    execution: str | None = None
    key: str | None = None

    @property
    def public_key(self) -> str:
        """The key in its text form, as callers write it, unless its id contains a ``:``."""
        assert self.key is not None  # noqa: S101  (that of a key is set)
        return self.key if self.execution is None else execution_key(self.execution, self.key)


class Range(msgspec.Struct, frozen=True):
    """A part of a listing.

    Attributes:
        prefix: What the names begin with.
        start_after: The name after which they come; None to start at the first.
    """

    prefix: str
    start_after: str | None = None


class Layout:
    """The object names of one store.

    Args:
        prefix: The prefix of all the store's names in the bucket, without a slash at either end, or
            empty.
        owner_index: Whether the store has owner records and keys without a tenant.

    Attributes:
        areas: The prefixes that the store writes below, each with its closing slash.
    """

    __slots__ = (
        *("_few", "_latest", "_read", "areas", "owner_index", "owners"),
        *("prefix", "root", "shared", "tenants"),
    )

    def __init__(self, prefix: str = "", *, owner_index: bool = True) -> None:
        self.prefix = prefix
        self.owner_index = owner_index
        self.root = f"{prefix}/" if prefix else ""
        self.tenants = f"{self.root}tenants/"
        self.shared = f"{self.root}shared/"
        self.owners = f"{self.root}owners/"
        self.areas: tuple[str, ...] = (self.tenants,)
        if owner_index:
            self.areas = (self.tenants, self.shared, self.owners)
        # The last tenant and its prefix: most calls are about the same tenant as the one before.
        self._latest: tuple[str, str] = ("", "")
        self._few = 0
        self._read: Callable[[str], re.Match[str] | None] | None = None

    # Writing names.

    def owners_of(self, execution_id: str) -> str:
        """The prefix of an execution's owner records."""
        return checked(f"{self.owners}{encode_execution(execution_id)}/")

    def owner(self, execution_id: str, tenant_id: str) -> str:
        """The record that a tenant has an execution."""
        return checked(self.owners_of(execution_id) + encode(tenant_id, what="tenant id"))

    def tenant(self, tenant_id: str) -> str:
        """The prefix of everything that belongs to a tenant, with its closing slash."""
        latest, prefix = self._latest
        if prefix and type(tenant_id) is str and tenant_id == latest:
            return prefix
        prefix = checked(f"{self.tenants}{encode(tenant_id, what='tenant id')}/")
        self._latest = (str.__str__(tenant_id), prefix)
        return prefix

    def snapshots(self, tenant_id: str) -> str:
        """The prefix of a tenant's snapshots."""
        return self.tenant(tenant_id) + "snapshots/"

    def snapshot(self, tenant_id: str, execution_id: str) -> str:
        """The latest snapshot of an execution."""
        return checked(self.snapshots(tenant_id) + encode_execution(execution_id))

    def lease(self, tenant_id: str, execution_id: str) -> str:
        """The lease on an execution."""
        return checked(f"{self.tenant(tenant_id)}leases/{encode_execution(execution_id)}")

    def scope(self, tenant_id: str | None) -> str:
        """The prefix of a tenant's objects, or of those that no tenant owns."""
        return self.shared if tenant_id is None else self.tenant(tenant_id)

    def executions(self, tenant_id: str | None) -> str:
        """The prefix of the keys of all executions in a scope."""
        return self.scope(tenant_id) + "executions/"

    def execution(self, tenant_id: str | None, execution_id: str) -> str:
        """The prefix of the keys of one execution in a scope."""
        # An id is valid if its snapshot's (or owner record's) name is short enough. This prefix may
        # still be over the limit; then no key can lie below it.
        if tenant_id is None:
            self.owners_of(execution_id)
        else:
            self.snapshot(tenant_id, execution_id)
        return f"{self.executions(tenant_id)}{encode_execution(execution_id)}/"

    def keys(self, tenant_id: str | None) -> str:
        """The prefix of a scope's keys that belong to no execution."""
        return self.scope(tenant_id) + "keys/"

    def key(self, tenant_id: str | None, key: str) -> str:
        """The object of a key: ``exec:{execution_id}:{rest}`` belongs to that execution."""
        if isinstance(key, str) and key.startswith(EXECUTION_KEY):
            execution_id, _, rest = key[len(EXECUTION_KEY) :].partition(":")
            if not execution_id or not rest:
                raise InvalidKey(
                    f"a key that starts with 'exec:' must read 'exec:{{execution_id}}:{{rest}}', "
                    f"neither part empty: {shown(key)}"
                )
            return self.key_of(tenant_id, execution_id, rest)
        return checked(self.keys(tenant_id) + encode(key))

    def key_of(self, tenant_id: str | None, execution_id: str, rest: str) -> str:
        """The object of a key of an execution, without its ``exec:{execution_id}:``."""
        return checked(self.execution(tenant_id, execution_id) + encode(rest))

    def name(self, place: Place) -> str:
        """The name of the object at a place."""
        kind, tenant_id, execution_id = place.kind, place.tenant, place.execution
        if kind == "key":
            assert place.key is not None  # noqa: S101  (that of a key is set)
            if execution_id is None:
                return self.key(tenant_id, place.key)
            return self.key_of(tenant_id, execution_id, place.key)
        assert execution_id is not None  # noqa: S101  (only a key may have none)
        assert tenant_id is not None  # noqa: S101  (as above)
        if kind == "owner":
            return self.owner(execution_id, tenant_id)
        if kind == "snapshot":
            return self.snapshot(tenant_id, execution_id)
        return self.lease(tenant_id, execution_id)

    # Reading names.

    def parse(self, name: str) -> Place | None:
        """The place of the object of this name; None for a name that the store never writes.

        The inverse of `name`.
        """
        if len(name) > MAX_NAME_BYTES:
            return None
        read = self._read
        if read is None:
            self._few += 1
            if self._few >= _FEW:
                self._read = _plain_names(self.root)
            return self._parse_segments(name)
        found = read(name)
        if found is None:
            return self._parse_segments(name)
        last = found.lastindex
        if last == 2:  # noqa: PLR2004  (the groups of the expression)
            return Place("snapshot", found[1], found[2], None)
        if last == 4:  # noqa: PLR2004
            return Place("key", found[1], found[3], found[4])
        if last == 5:  # noqa: PLR2004
            return Place("key", found[1], None, found[5])
        if last == 6:  # noqa: PLR2004
            return Place("lease", found[1], found[6], None)
        return Place("owner", found[8], found[7], None)

    def _parse_segments(self, name: str) -> Place | None:
        if not name.startswith(self.root):
            return None
        match name[len(self.root) :].split("/"):
            case ["tenants", segment, *rest]:
                tenant_id = decode(segment)
                return None if tenant_id is None else _parse_scope(tenant_id, rest)
            case ["shared", *rest]:
                return _parse_scope(None, rest)
            case ["owners", execution, segment]:
                execution_id, tenant_id = decode(execution), decode(segment)
                if execution_id is not None and tenant_id is not None:
                    return Place("owner", tenant_id, execution_id)
        return None

    def tenant_of(self, prefix: str) -> str | None:
        """The tenant whose prefix this is, as `tenant` writes it; None for any other."""
        return id_below(self.tenants, prefix)

    def is_probe(self, name: str) -> bool:
        """Whether the doctor wrote the object of this name, to try out its rights."""
        area, _, last = name.rpartition("/")
        area += "/"
        return last.startswith(PROBE) and (
            area in self.areas or (area != self.tenants and self.tenant_of(area) is not None)
        )

    def execution_of(self, tenant_id: str | None, prefix: str) -> str | None:
        """The execution of a scope whose prefix this is, as `execution` writes it."""
        return id_below(self.executions(tenant_id), prefix)


def ranges(folder: str, *, prefix: str = "", after: str | None = None) -> list[Range]:
    """The listings that find the selected ids or keys of a folder, in order; none if none can be.

    Args:
        folder: The prefix of their names, as `Layout` writes it.
        prefix: What the ids or keys begin with.
        after: The id or key after whose name they come.

    Raises:
        InvalidKey: No id or key can begin with ``prefix``, or ``after`` cannot be one.
    """
    start = None if after is None else checked(folder + encode(after, what="after"))
    found: list[Range] = []
    for beginning in beginnings(prefix):
        name = folder + beginning
        if len(name) > MAX_NAME_BYTES:
            continue  # no object has such a name
        if start is None or start < name:
            found.append(Range(name))
        elif start.startswith(name):
            found.append(Range(name, start))
    return found


@cache
def _plain_names(root: str) -> Callable[[str], re.Match[str] | None]:
    """What reads names whose ids and keys stand for themselves, as those of nearly all do.

    Compiled once some names have been read, since a cold start reads one at most.
    """
    one = f"({PLAIN})"
    scope = f"tenants/{one}/(?:snapshots/{one}|executions/{one}/{one}|keys/{one}|leases/{one})"
    return re.compile(f"{re.escape(root)}(?:{scope}|owners/{one}/{one})").fullmatch


def _parse_scope(tenant_id: str | None, segments: list[str]) -> Place | None:
    """The place of an object below a tenant's prefix, or below that of what no tenant owns."""
    match segments:
        case ["keys", segment]:
            key = decode(segment)
            if key is not None and not key.startswith(EXECUTION_KEY):
                return Place("key", tenant_id, None, key)
        case ["executions", execution, segment]:
            execution_id, key = decode(execution), decode(segment)
            if execution_id is not None and key is not None:
                return Place("key", tenant_id, execution_id, key)
        case ["snapshots" | "leases" as kind, segment] if tenant_id is not None:
            execution_id = decode(segment)
            if execution_id is not None:
                return Place(
                    "snapshot" if kind == "snapshots" else "lease", tenant_id, execution_id
                )
    return None


def checked(name: str) -> str:
    """Returns ``name``, checked to be one that every cloud accepts.

    Raises:
        InvalidKey: The whole name, prefix included, is over 1,024 bytes.
    """
    # Names are ASCII: segments are escaped and prefixes are checked when a URL is read.
    if len(name) > MAX_NAME_BYTES:
        raise InvalidKey(
            f"the object name would be {len(name)} bytes, over the limit of {MAX_NAME_BYTES} "
            f"(prefix and escapes included): {name[:80]!r}…"
        )
    return name

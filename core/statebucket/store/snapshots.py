"""Saving and loading snapshots: owners, conditions, and never going backwards."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.versions import Stored, Version
from statebucket.errors import (
    CorruptObject,
    InvalidSnapshot,
    StaleSnapshot,
    VersionConflict,
    awaiting,
    shown,
)
from statebucket.port.bucket import JSON
from statebucket.port.waiting import here
from statebucket.store.envelope import stored
from statebucket.store.lru_cache import LRUCache
from statebucket.store.retry import jitter

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from statebucket.port.expiry import Expiry
    from statebucket.store.envelope import Found
    from statebucket.store.layout import Layout
    from statebucket.store.objects import Objects
    from statebucket.store.owners import OwnerIndex
    from statebucket.store.retry import Call

MAX_RACES = 40
"""How often a save with ``only_newer`` may lose to another writer before it gives up."""


class _Seen(msgspec.Struct, frozen=True):
    """The version and sequence number of a snapshot that this process last loaded or saved."""

    version: Version
    sequence_number: int


class Snapshots:
    """The snapshots of one store.

    Args:
        objects: Where they are kept.
        layout: How they are named.
        owners: The owner records, or None if there are none.
    """

    def __init__(self, objects: Objects, layout: Layout, owners: OwnerIndex | None) -> None:
        self._objects = objects
        self._layout = layout
        self._owners = owners
        self._seen: LRUCache[tuple[str, str], _Seen] = LRUCache()

    async def save(
        self,
        call: Call,
        name: str,
        snapshot: ExecutionSnapshot,
        *,
        expiry: Expiry | None,
        condition: Version | None,
        only_newer: bool = False,
        look_with_get: bool = False,
    ) -> Version:
        """Makes sure that the owner record exists, then writes the snapshot as ``name``."""
        tenant_id, execution_id = snapshot.tenant_id, snapshot.execution_id
        if self._owners is not None:
            await self._owners.ensure(call, execution_id, tenant_id, expiry)
        if only_newer:
            version = await self._put_newer(
                call, name, snapshot, condition, expiry, look_with_get=look_with_get
            )
        else:
            version = await self._put(
                call, name, snapshot, condition, expiry, look_with_get=look_with_get
            )
        self._seen.put((tenant_id, execution_id), _Seen(version, snapshot.sequence_number))
        return version

    async def load(
        self, call: Call, tenant_id: str, execution_id: str
    ) -> Stored[ExecutionSnapshot] | None:
        """Loads the snapshot of an execution from a tenant's prefix: 1 request.

        Raises:
            CorruptObject: What is stored is not a snapshot of this execution.
        """
        found = await self._objects.get(call, self._layout.snapshot(tenant_id, execution_id))
        return None if found is None else self.read(found, tenant_id, execution_id)

    def read(self, found: Found, tenant_id: str, execution_id: str) -> Stored[ExecutionSnapshot]:
        """The snapshot of an execution in the object that was found for it.

        Raises:
            CorruptObject: It is not a snapshot of this execution.
        """
        try:
            snapshot = ExecutionSnapshot.from_json(found.body)
        except InvalidSnapshot as error:
            raise CorruptObject(error.message, object_name=found.info.name) from error
        if snapshot.execution_id != execution_id or snapshot.tenant_id != tenant_id:
            raise CorruptObject(
                f"holds the snapshot of another execution: {shown(snapshot.execution_id)} of "
                f"tenant {shown(snapshot.tenant_id)}",
                object_name=found.info.name,
            )
        if self._owners is not None:
            self._owners.note(execution_id, tenant_id, found.info)
        self._seen.put(
            (tenant_id, execution_id), _Seen(found.info.version, snapshot.sequence_number)
        )
        return stored(found, snapshot)

    async def find(
        self, call: Call, owners: OwnerIndex, execution_id: str
    ) -> Stored[ExecutionSnapshot] | None:
        """Loads a snapshot by the execution's owner records: 1 request more if none is known.

        Raises:
            AmbiguousExecution: Several tenants have the execution.
        """
        known = owners.recent_tenant(execution_id)
        if known is not None:
            found = await self.load(call, known, execution_id)
            if found is not None:
                return found
        # What was known may be outdated: removed, and created again by another tenant.
        tenant_id = await owners.tenant_of(call, execution_id)
        if tenant_id is None or tenant_id == known:
            return None
        return await self.load(call, tenant_id, execution_id)

    async def version(self, call: Call, tenant_id: str, execution_id: str) -> Version:
        """The version of the live snapshot, or `Version.ABSENT`: 1 request."""
        info = await self._objects.head(call, self._layout.snapshot(tenant_id, execution_id))
        return Version.ABSENT if info is None else info.version

    def _put(
        self,
        call: Call,
        name: str,
        snapshot: ExecutionSnapshot,
        condition: Version | None,
        expiry: Expiry | None,
        *,
        look_with_get: bool = False,
    ) -> Coroutine[Any, Any, Version]:
        def encoded() -> bytes:
            # It was checked when the call began, but may have been changed since.
            return (snapshot.checked() if call.waited else snapshot).to_json()

        return self._objects.put(
            call,
            name,
            encoded,
            content_type=JSON,
            expiry=expiry,
            condition=condition,
            look_with_get=look_with_get,
        )

    async def _put_newer(
        self,
        call: Call,
        name: str,
        snapshot: ExecutionSnapshot,
        condition: Version | None,
        expiry: Expiry | None,
        *,
        look_with_get: bool,
    ) -> Version:
        """Writes a snapshot over a version that is known to be no newer."""
        tenant_id, execution_id = snapshot.tenant_id, snapshot.execution_id
        known = self._seen.get((tenant_id, execution_id))
        if known is not None and (
            known.sequence_number > snapshot.sequence_number
            or condition not in {None, known.version}
        ):
            # Another process may have put an older one back, or the version to replace is one of
            # which only the caller knows, or the lease: read it again.
            known = None
        for race in itertools.count(1):
            if known is None:
                found = await self.load(call, tenant_id, execution_id)
                if found is not None:
                    known = _Seen(found.version, found.value.sequence_number)
            if known is not None and known.sequence_number > snapshot.sequence_number:
                raise StaleSnapshot(
                    "save_snapshot: the stored snapshot is newer: sequence number "
                    f"{known.sequence_number}, yours is {snapshot.sequence_number}",
                    object_name=name,
                    outcome=call.outcome,
                )
            current = Version.ABSENT if known is None else known.version
            try:
                return await self._put(
                    call,
                    name,
                    snapshot,
                    condition or current,
                    expiry,
                    look_with_get=look_with_get,
                )
            except VersionConflict:
                if condition is not None or race == MAX_RACES:
                    raise
                known = None
                # Not at once: with many writers, or a service that reports false conflicts, that
                # would flood it.
                await here().sleep(jitter(0.01 * race))
        raise AssertionError("unreachable: the last race returns or raises")


def check_snapshot(who: str, snapshot: object) -> ExecutionSnapshot:
    """A snapshot that a caller passed to be saved, validated again.

    Args:
        who: The call, for the error.
        snapshot: What the caller passed.

    Raises:
        InvalidSnapshot: It is not a snapshot, or was changed in place to what JSON cannot
            represent.
    """
    if isinstance(snapshot, ExecutionSnapshot):
        return snapshot.checked()
    hint = awaiting(snapshot)
    if isinstance(snapshot, dict):
        hint = "; write ExecutionSnapshot(**fields), or view.snapshot(execution_id, …)"
    elif isinstance(snapshot, Stored):
        hint = "; write stored.value"
    elif isinstance(snapshot, bytes | str):
        hint = "; write ExecutionSnapshot.from_json(data)"
    raise InvalidSnapshot(f"{who}: not an ExecutionSnapshot: {type(snapshot).__name__}{hint}")

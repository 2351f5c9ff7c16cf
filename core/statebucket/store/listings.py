"""The calls of a store that list objects."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.ids import ExecutionId, TenantId
from statebucket.contract.segments import check_text_form
from statebucket.errors import CorruptObject, UnsupportedOperation
from statebucket.port.bucket import ObjectInfo
from statebucket.port.expiry import from_ms
from statebucket.store.base import ContextStore
from statebucket.store.envelope import expires_ms, value_size
from statebucket.store.layout import Place, ranges
from statebucket.store.objects import PAGE
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import datetime

    from statebucket.contract.entries import KeyEntry, SnapshotEntry
    from statebucket.store.selection import Selection


class Listed(msgspec.Struct, frozen=True):
    """An object in a listing, with its place."""

    place: Place
    info: ObjectInfo

    @property
    def text(self) -> str:
        """The id of its execution, or its key."""
        text = self.place.execution if self.place.key is None else self.place.key
        assert text is not None  # noqa: S101  (anything but a key has an execution)
        return text

    @property
    def size(self) -> int:
        """The size of its value, as far as the listing shows."""
        try:
            return value_size(self.info, self.info.size)
        except CorruptObject:
            return self.info.size  # loading it will raise the error

    @property
    def expires_at(self) -> datetime | None:
        """When it expires, as far as the listing shows."""
        try:
            at_ms = expires_ms(self.info)
        except CorruptObject:
            return None  # as above
        return None if at_ms is None else from_ms(at_ms)


class Listings(ContextStore):
    """The listings."""

    async def list_snapshots(
        self, tenant_id: TenantId | str | None = None, limit: int = PAGE
    ) -> list[ExecutionId]:
        from statebucket.store.selection import check_limit  # noqa: PLC0415  (see store.py)

        check_limit(limit)
        found: list[ExecutionId] = []
        folder = self._snapshot_folder("list_snapshots", tenant_id)
        if limit == 0:
            return found
        pages = self._objects.pages(
            "list_snapshots", folder, self.context.deadline, limit=min(limit, PAGE)
        )
        async for page in pages:
            places = [self._layout.parse(info.name) for info in page]
            found += [
                ExecutionId(place.execution)
                for place in places
                if place is not None and place.execution is not None
            ]
            if len(found) >= limit:
                break
        return found[:limit]

    async def iter_snapshots(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        live: bool = False,
    ) -> AsyncIterator[ExecutionId]:
        folder = self._snapshot_folder("iter_snapshots", tenant_id)
        chosen = _chosen(prefix, after, limit, live=live)
        async with aclosing(
            self._selected("iter_snapshots", folder, chosen, live=live)
        ) as selected:
            async for one in selected:
                yield ExecutionId(one.text)

    async def scan_snapshots(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        live: bool = False,
    ) -> AsyncIterator[SnapshotEntry]:
        from statebucket.contract.entries import SnapshotEntry  # noqa: PLC0415  (see store.py)

        folder = self._snapshot_folder("scan_snapshots", tenant_id)
        chosen = _chosen(prefix, after, limit, live=live)
        async with aclosing(
            self._selected("scan_snapshots", folder, chosen, live=live)
        ) as selected:
            async for one in selected:
                yield SnapshotEntry(
                    id=ExecutionId(one.text),
                    size=one.size,
                    modified_at=one.info.modified_at,
                    expires_at=one.expires_at,
                )

    async def iter_keys(
        self,
        execution_id: ExecutionId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[str]:
        chosen = _chosen(prefix, after, limit)
        async with aclosing(self._keys("iter_keys", execution_id, chosen)) as keys:
            async for one in keys:
                yield self._key_text(one.place)

    async def scan_keys(
        self,
        execution_id: ExecutionId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[KeyEntry]:
        from statebucket.contract.entries import KeyEntry  # noqa: PLC0415  (see store.py)

        chosen = _chosen(prefix, after, limit)
        async with aclosing(self._keys("scan_keys", execution_id, chosen)) as keys:
            async for one in keys:
                yield KeyEntry(
                    key=self._key_text(one.place),
                    size=one.size,
                    modified_at=one.info.modified_at,
                    expires_at=one.expires_at,
                )

    async def iter_executions(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[ExecutionId]:
        from statebucket.store.executions import with_state  # noqa: PLC0415  (see store.py)

        if tenant_id is None:
            self.context.check_scope("iter_executions")
            tenant_id = self._tenant
        else:
            self._layout.tenant(tenant_id)
            self.context.check_tenant(tenant_id)
        chosen = _chosen(prefix, after, limit)
        # The names in the other folders of executions are longer.
        shortest = self._layout.owners if tenant_id is None else self._layout.snapshots(tenant_id)
        if not ranges(shortest, prefix=chosen.prefix, after=chosen.after):
            return
        async with aclosing(
            with_state(self.context, "iter_executions", tenant_id, chosen)
        ) as executions:
            async for execution_id in executions:
                yield ExecutionId(execution_id)

    async def iter_tenants(self) -> AsyncIterator[TenantId]:
        if self._tenant is not None:
            own = self._layout.tenant(self._tenant)
            async for page in self._objects.all_pages(
                "iter_tenants", own, self.context.deadline, limit=1
            ):
                if page:
                    yield TenantId(self._tenant)
                    return
            return
        prefix = self._layout.tenants
        async for found in self._objects.prefixes("iter_tenants", prefix, self.context.deadline):
            tenant_id = self._layout.tenant_of(found)
            if tenant_id is not None:
                yield TenantId(tenant_id)

    def _keys(
        self, operation: str, execution_id: str | None, chosen: Selection
    ) -> AsyncGenerator[Listed, None]:
        self.context.check_scope(operation)
        if execution_id is None:
            return self._selected(
                operation, self._layout.keys(self._tenant), chosen.of_no_execution()
            )
        check_text_form(operation, execution_id)
        folder = self._layout.execution(self._tenant, execution_id)
        return self._selected(operation, folder, chosen.of_execution(execution_id))

    def _key_text(self, place: Place) -> str:
        """A key in the form that callers write."""
        return place.public_key

    async def _selected(
        self, operation: str, folder: str, chosen: Selection, *, live: bool = False
    ) -> AsyncGenerator[Listed, None]:
        """The selected objects of a listing: 1 request a page.

        Args:
            operation: The public call, for errors.
            folder: The prefix of the names.
            chosen: The selection.
            live: Whether to leave out expired objects even where listings do not show their expiry,
                for 1 more request each.
        """
        left = chosen.limit
        if left == 0:
            return
        look = live and not self._objects.bucket.limits.lists_metadata
        async with aclosing(self._pages(operation, folder, chosen)) as pages:
            async for page in pages:
                rest = page
                while rest:
                    # Looks at no more objects than are wanted.
                    some, rest = (rest, []) if left is None else (rest[:left], rest[left:])
                    if look:
                        looked = await in_order(lambda one: self._alive(operation, one), some)
                        some = [one for one in looked if one is not None]
                    for one in some:
                        yield one
                    if left is not None:
                        left -= len(some)
                        if left == 0:
                            return

    async def _pages(
        self, operation: str, folder: str, chosen: Selection
    ) -> AsyncGenerator[list[Listed], None]:
        limit = PAGE if chosen.limit is None else min(chosen.limit, PAGE)
        cut = chosen.after is not None or chosen.limit is not None
        sorts = cut and not self._objects.bucket.limits.lists_in_order
        everything: list[Listed] = []
        for part in ranges(folder, prefix=chosen.prefix, after=chosen.after):
            async for page in self._objects.pages(
                operation,
                part.prefix,
                self.context.deadline,
                limit=PAGE if sorts else limit,
                start_after=part.start_after,
            ):
                found = [one for one in self._ours(page) if one.text.startswith(chosen.prefix)]
                if sorts:
                    everything += found
                else:
                    yield found
        if sorts:
            yield sorted(everything, key=lambda one: one.info.name)

    def _ours(self, page: list[ObjectInfo]) -> list[Listed]:
        """The objects of a page that a store wrote."""
        places = [(self._layout.parse(info.name), info) for info in page]
        return [Listed(place, info) for place, info in places if place is not None]

    async def _alive(self, operation: str, listed: Listed) -> Listed | None:
        """Reads an object's metadata; None if it has expired or is gone."""
        found = await self._objects.head(self.context.call(operation), listed.info.name)
        if found is None:
            return None
        return Listed(
            listed.place, msgspec.structs.replace(found, modified_at=listed.info.modified_at)
        )

    def _snapshot_folder(self, operation: str, tenant_id: str | None) -> str:
        if tenant_id is None:
            tenant_id = self._tenant
            if tenant_id is None:
                raise UnsupportedOperation(
                    f"{operation} needs a tenant: pass its id, or call it on store.tenant(…)"
                )
        folder = self._layout.snapshots(tenant_id)
        self.context.check_tenant(tenant_id)
        return folder


def _chosen(
    prefix: str, after: str | None, limit: int | None, *, live: object = False
) -> Selection:
    """What a caller selects, checked; see `Selection.check`."""
    from statebucket.contract.flags import check_flags  # noqa: PLC0415  (see store.py)
    from statebucket.store.selection import Selection  # noqa: PLC0415  (see store.py)

    check_flags(live=live)
    return Selection(prefix, after, limit).check()

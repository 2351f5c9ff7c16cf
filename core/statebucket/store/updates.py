"""Updates: values and snapshots that a function changes, written over the loaded version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from statebucket.contract.callbacks import called, check_function
from statebucket.contract.segments import encode_execution
from statebucket.errors import (
    InvalidSnapshot,
    InvalidValue,
    TenantMismatch,
    excerpt,
    shown,
)
from statebucket.port.bucket import BYTES, JSON
from statebucket.store.decoding import decode_json, decoder
from statebucket.store.envelope import is_kept
from statebucket.store.keys import KeyValues, value_bytes, value_json
from statebucket.store.snapshots import check_snapshot
from statebucket.store.swap import swapped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from statebucket.contract.ids import ExecutionId
    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Version
    from statebucket.store.envelope import Found
    from statebucket.store.retry import Call

    Function = Callable[[Any], Any]

T = TypeVar("T")


class Updates(KeyValues):
    """The calls that load a value, call a function, and write the result."""

    async def update(
        self,
        key: str,
        function: Callable[[bytes | None], bytes | bytearray | memoryview | None],
        ttl: timedelta | float | None = None,
    ) -> bytes | None:
        def changed(found: Found | None) -> tuple[bytes | None, bytes | None]:
            old = None if found is None else bytes(found.body)
            new = called("update: function", function, old)
            if new is None:
                return None, old
            body = value_bytes(new)
            return body, body

        return await self._update("update", key, function, changed, BYTES, ttl)

    @overload
    async def update_json(
        self, key: str, function: Function, *, ttl: timedelta | float | None = None
    ) -> Any: ...  # noqa: ANN401

    @overload
    async def update_json(
        self,
        key: str,
        function: Callable[[T | None], T | None],
        type: type[T],
        ttl: timedelta | float | None = None,
    ) -> T | None: ...

    async def update_json(
        self,
        key: str,
        function: Function,
        type: Any = Any,  # noqa: A002  (as the contract has it)
        ttl: timedelta | float | None = None,
    ) -> Any:
        wanted = decoder(type, "update_json")

        def changed(found: Found | None) -> tuple[bytes | None, Any]:
            old = None if found is None else decode_json(wanted, found, "update_json")
            new = called("update_json: function", function, old)
            if new is None:  # it may have changed its argument in place; that is not stored
                old = None if found is None else decode_json(wanted, found, "update_json")
                return None, old
            body = value_json(new)
            try:
                return body, wanted.decode(body)
            except msgspec.ValidationError as error:
                raise InvalidValue(
                    f"update_json: function returned a value that is not of the type "
                    f"{shown(type)}: {excerpt(error)}"
                ) from error

        return await self._update("update_json", key, function, changed, JSON, ttl)

    async def _update(
        self,
        operation: str,
        key: str,
        function: Function,
        changed: Callable[[Found | None], tuple[bytes | None, T]],
        content_type: str,
        ttl: timedelta | float | None,
    ) -> T:
        """Writes what ``changed`` makes from a value.

        Args:
            operation: The public call.
            key: The key.
            function: The caller's.
            changed: Takes the stored object, and returns the next body (or None) and the call's
                result.
            content_type: The media type.
            ttl: The caller's.
        """
        name = self._key(operation, key)
        check_function(operation, function)
        self.context.expiry(ttl)  # an invalid TTL is refused before the first request
        call = self.context.call(operation)

        def change(found: Found | None) -> Callable[[Version], Awaitable[T]]:
            body, result = changed(found)

            async def write(condition: Version) -> T:
                if body is not None:
                    await self._objects.put(
                        call,
                        name,
                        body,
                        content_type=content_type,
                        expiry=self.context.expiry_after(found, ttl),
                        condition=condition,
                        look_with_get=True,
                        kept=self.context.keep or (found is not None and is_kept(found.info)),
                    )
                return result

            return write

        return await swapped(self._objects, call, name, change)

    async def update_snapshot(
        self,
        execution_id: ExecutionId | str,
        function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None],
    ) -> ExecutionSnapshot | None:
        encode_execution(execution_id)
        check_function("update_snapshot", function)
        call = self.context.call("update_snapshot")
        tenant_id = await self.context.owner_of(call, execution_id)
        if tenant_id is None:  # no tenant owns it yet: the first snapshot decides which one does
            first = called("update_snapshot: function", function, None)
            if first is None:
                return None
            tenant_id = _checked(first, execution_id).tenant_id
        return await self._update_snapshot(call, tenant_id, execution_id, function)

    async def _update_snapshot(
        self,
        call: Call,
        tenant_id: str,
        execution_id: str,
        function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None],
    ) -> ExecutionSnapshot | None:
        snapshots = self.context.snapshots
        name = self._layout.snapshot(tenant_id, execution_id)

        def load(found: Found | None) -> ExecutionSnapshot | None:
            return None if found is None else snapshots.read(found, tenant_id, execution_id).value

        def change(
            found: Found | None,
        ) -> Callable[[Version], Awaitable[ExecutionSnapshot | None]]:
            new = called("update_snapshot: function", function, load(found))
            if new is not None:
                new = _checked(new, execution_id)
                if new.tenant_id != tenant_id:
                    raise TenantMismatch(
                        f"update_snapshot: execution {shown(execution_id)} belongs to tenant "
                        f"{shown(tenant_id)}, function returned a snapshot of "
                        f"{shown(new.tenant_id)}"
                    )

            async def write(condition: Version) -> ExecutionSnapshot | None:
                if new is None:  # it may have changed its argument in place; that is not stored
                    return load(found)
                version = await snapshots.save(
                    call,
                    name,
                    new,
                    expiry=self.context.snapshot_expiry(new, None, found),
                    condition=condition,
                    look_with_get=True,
                )
                self.context.note(tenant_id, execution_id, version)
                return new

            return write

        return await swapped(self._objects, call, name, change)


def _checked(snapshot: object, execution_id: str) -> ExecutionSnapshot:
    """What the caller's function returned, checked to be a snapshot that may be saved."""
    snapshot = check_snapshot("update_snapshot: function", snapshot)
    if snapshot.execution_id != execution_id:
        raise InvalidSnapshot(
            "update_snapshot: function returned a snapshot of "
            f"{shown(snapshot.execution_id)}, the call is for {shown(execution_id)}"
        )
    return snapshot

"""The base of every part of a store: its context, its name, and closing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from statebucket.contract.ids import TenantId
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import StateStore
from statebucket.errors import InvalidSnapshot, UnsupportedOperation

if TYPE_CHECKING:
    from types import TracebackType

    from statebucket.contract.ids import ExecutionId
    from statebucket.contract.stats import Stats
    from statebucket.store.context import StoreContext


class ContextStore(StateStore):
    """A store over a bucket, without the calls on what is stored.

    Args:
        context: What it is made of.

    Attributes:
        context: The same, for code that works on a store from outside: copies, counts, the doctor.
    """

    def __init__(self, context: StoreContext) -> None:
        self.context = context
        self._objects = context.objects
        self._layout = context.layout
        self._tenant = context.tenant

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.context,)

    def __repr__(self) -> str:
        bound = "" if self._tenant is None else f" tenant={self._tenant!r}"
        bucket = f" bucket={self._objects.place!r}" if self._objects.place else ""
        return f"<StateStore {self.name}{bucket} prefix={self._layout.prefix!r}{bound}>"

    @property
    def name(self) -> str:
        return self._objects.bucket.name

    @property
    def requires_network(self) -> bool:
        return self._objects.bucket.requires_network

    @property
    def supports_air_gapped(self) -> bool:
        return not self.requires_network

    @property
    def needs_loop(self) -> bool:
        """Whether it can only be used in an event loop; see `statebucket.port.waiting`."""
        return self._objects.bucket.limits.needs_loop

    @property
    def tenant_id(self) -> TenantId | None:
        return None if self._tenant is None else TenantId(self._tenant)

    def snapshot(
        self,
        execution_id: ExecutionId | str,
        **fields: Any,  # noqa: ANN401  (any field's value)
    ) -> ExecutionSnapshot:
        tenant_id = self.tenant_id
        if tenant_id is None:
            raise UnsupportedOperation(
                "snapshot needs a tenant: call it on store.tenant(…), or build an ExecutionSnapshot"
            )
        self.context.check_tenant(fields.pop("tenant_id", tenant_id))
        try:
            return ExecutionSnapshot(execution_id=execution_id, tenant_id=tenant_id, **fields)
        except TypeError as error:
            raise InvalidSnapshot(str(error)) from None

    def stats(self) -> Stats:
        return self._objects.counter.stats()

    async def health_check(self) -> None:
        if self._tenant is not None:
            prefix = self._layout.tenant(self._tenant)
        else:
            prefix = self._layout.root if self._layout.owner_index else self._layout.tenants
        await self._objects.check(self.context.call("health_check"), prefix)

    async def shutdown(self) -> None:
        await self._objects.close()

    if not TYPE_CHECKING:  # hidden from type checkers

        def __enter__(self) -> None:
            raise UnsupportedOperation(
                "this store's calls are awaited: write async with and await; or take open_store "
                "from statebucket.sync, whose calls block"
            )

        def __exit__(self, *error: object) -> None:
            """Never called: the block is never entered."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown()

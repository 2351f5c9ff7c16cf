"""What the parts of the suite share: fixtures, and helpers that make values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

ACME = TenantId("acme")
E1 = ExecutionId("e1")


def snapshot(
    execution_id: str = E1,
    tenant_id: str = ACME,
    number: int = 1,
    **fields: Any,  # noqa: ANN401  (those of ExecutionSnapshot)
) -> ExecutionSnapshot:
    """A snapshot, running by default."""
    return ExecutionSnapshot(
        execution_id=ExecutionId(execution_id),
        tenant_id=TenantId(tenant_id),
        sequence_number=number,
        **{"state": ExecutionState.RUNNING} | fields,
    )


@pytest.mark.asyncio
class Contract:
    """The base of the suite's parts; a subclass defines the ``target`` fixture."""

    @pytest.fixture
    def target(self) -> Target:
        """The place under test, empty."""
        raise NotImplementedError("a subclass of the contract suite defines the target fixture")

    @pytest_asyncio.fixture
    async def store(self, target: Target) -> AsyncIterator[StateStore]:
        """A store on the target, shut down at the end."""
        async with target.open() as store:
            yield store

    @pytest.fixture
    def acme(self, store: StateStore) -> StateStore:
        """The store, bound to the tenant "acme"."""
        return store.tenant(ACME)

    @pytest.fixture
    def clock(self, target: Target) -> Clock:
        """The clock of the target's stores."""
        return target.clock

"""The declaration of each public method exists and is right."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from statebucket import StateStore, StorageBackend
from statebucket.contract.calls import Kind, declare, declared
from statebucket.contract.lease import Lease
from statebucket.contract.writer import SnapshotWriter

CONTRACTS = [StorageBackend, StateStore, Lease, SnapshotWriter]
RETURNS = {
    Kind.ITERATOR: "AsyncIterator[",
    Kind.CONTEXT: "AbstractAsyncContextManager[",
}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda kind: kind.__name__)
def test_every_method_is_declared_as_what_it_is(contract: type[Any]) -> None:
    assert declared(contract)
    for name, declaration in declared(contract).items():
        method = getattr(contract, name)
        assert inspect.iscoroutinefunction(method) == (declaration.kind is Kind.CALL), name
        returned = str(inspect.signature(method).return_annotation)
        for kind, annotation in RETURNS.items():
            assert returned.startswith(annotation) == (declaration.kind is kind), name
        parameters = inspect.signature(method).parameters
        assert {declaration.tenant, declaration.tenant_of} - {None} <= set(parameters), name


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda kind: kind.__name__)
def test_an_argument_that_names_a_tenant_is_declared(contract: type[Any]) -> None:
    for name, declaration in declared(contract).items():
        named = {"tenant_id", "tenant"} & set(inspect.signature(getattr(contract, name)).parameters)
        if declaration.counted:
            assert named == {declaration.tenant} - {None}, name


def test_a_method_without_a_declaration_is_found() -> None:
    class Contract:
        @declare(Kind.PLAIN)
        def one(self) -> None: ...

        def two(self) -> None: ...

    with pytest.raises(LookupError, match=r"Contract\.two has no declaration"):
        declared(Contract)

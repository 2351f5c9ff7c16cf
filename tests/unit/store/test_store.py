"""The store's class as callers see it."""

from __future__ import annotations

import inspect
from enum import Enum

import pytest

from statebucket import StateStore, open_store
from statebucket.store.store import ObjectStateStore


class Name(str, Enum):  # noqa: UP042  (a StrEnum formats as its text)
    ACME = "acme"
    JOB = "job"


PUBLIC = sorted(name for name in dir(StateStore) if not name.startswith("_"))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_call_of_the_store_is_documented_as_the_contracts(name: str) -> None:
    promised = inspect.getdoc(getattr(StateStore, name))
    assert promised
    assert inspect.getdoc(getattr(ObjectStateStore, name)) == promised


@pytest.mark.asyncio
async def test_of_an_enums_member_a_view_keeps_the_text() -> None:
    acme = open_store("memory://").tenant(Name.ACME)
    job = acme.execution(Name.JOB)
    assert (f"{acme.tenant_id}", f"{job.execution_id}") == ("acme", "job")
    async with job.lease(ttl=5) as lease:
        assert f"{lease.tenant_id} {lease.execution_id}" == "acme job"
    await job.set("k", b"v")
    assert [key async for key in acme.iter_keys(Name.JOB, prefix="exec:job:k")] == ["exec:job:k"]

"""The AWS module's policy documents, compared with the requests of every public call."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket.errors import AccessDenied
from statebucket.testing.contract.base import snapshot
from terraform.enforcing import Enforcing, enforcing
from terraform.iam import allowed
from terraform.policies import ARN, CONNECTION, PLAIN, RECORDED, WRITES, tagged
from terraform.wire import Right, rights

if TYPE_CHECKING:
    from support.servers import Server
    from terraform.policies import Documents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


READERS = {
    "load_snapshot",
    "load_stored",
    "get",
    "get_stored",
    "get_json",
    "exists",
    "list_snapshots",
    "iter_snapshots",
    "scan_snapshots",
    "iter_keys",
    "scan_keys",
    "iter_executions",
    "iter_tenants",
    "health_check",
    "check_lifecycle",
}
OPERATORS = {"check_lifecycle", "apply_lifecycle"}


def refused(
    policies: dict[str, str], name: str, arn: str, needed: set[Right], tenant: str | None = None
) -> set[Right]:
    """What of the needed rights a policy, or the bucket's, does not allow."""
    return {
        right
        for right in needed
        if not allowed(
            policies[name],
            right.action,
            f"{arn}/{right.path}" if right.path else arn,
            tagged(tenant, request=CONNECTION) | dict(right.context),
            bucket_policy=policies["bucket"],
        )
    }


def test_the_runtime_policy_allows_what_every_call_sends(
    documents: Documents, server: Server
) -> None:
    needed = asyncio.run(rights(server, tenant=None))
    assert len(set().union(*needed.values())) > 12
    for call, sent in needed.items():
        assert bool(refused(documents["plain"], "runtime", PLAIN, sent)) == (call in OPERATORS), (
            call
        )


def test_the_policy_for_inspection_allows_what_reading_calls_send_and_no_more(
    documents: Documents, server: Server
) -> None:
    needed = asyncio.run(rights(server, tenant=None))
    for call in READERS:
        assert refused(documents["plain"], "read_only", PLAIN, needed[call]) == set(), call
    changes = {right for sent in needed.values() for right in sent if right.action in WRITES}
    assert {right.action for right in changes} == set(WRITES)
    assert refused(documents["plain"], "read_only", PLAIN, changes) == changes


def test_a_tenant_s_policy_allows_what_its_view_sends_and_no_one_else_s(
    documents: Documents, server: Server
) -> None:
    needed = asyncio.run(rights(server, tenant="acme"))
    for call in needed.keys() - OPERATORS:
        sent = needed[call]
        assert refused(documents["tenants"], "tenant", ARN, sent, "acme") == set(), call
        for other in ("other", "acme2", "acm", "*", "acme/snapshots", None):
            assert refused(documents["tenants"], "tenant", ARN, sent, other) == sent, (call, other)


def test_with_its_owner_records_a_tenant_s_policy_allows_them_and_no_one_else_s(
    documents: Documents, server: Server
) -> None:
    needed = asyncio.run(rights(server, tenant="acme", owner_index=True))
    records = {right for sent in needed.values() for right in sent if "/owners/" in right.path}
    actions = {right.action for right in records}
    assert actions == {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
    assert refused(documents["tenants"], "tenant", ARN, records, "acme") == records
    for call in needed.keys() - OPERATORS:
        sent = needed[call]
        assert refused(documents["recorded"], "tenant", RECORDED, sent, "acme") == set(), call
        for other in ("other", "acme2", "acm", "*", "acme/snapshots", "e1/acme", None):
            theirs = refused(documents["recorded"], "tenant", RECORDED, sent, other)
            assert theirs == sent, (call, other)


def test_the_policies_are_enforced_by_a_server(documents: Documents) -> None:
    """By moto, which evaluates actions and objects and ignores conditions."""

    async def work(server: Enforcing) -> None:
        saved = snapshot()
        async with server.store("runtime", "app/state") as store:
            await store.save_snapshot(saved, ttl=timedelta(days=3))
            await store.set("exec:e1:k", b"v")
            assert await store.load_snapshot(saved.execution_id) == saved
            async with server.store("reader", "app/state") as reader:
                assert await reader.load_snapshot(saved.execution_id) == saved
                assert await reader.list_snapshots("acme") == ["e1"]
                for change in (reader.save_snapshot(saved), reader.set("k", b"v")):
                    with pytest.raises(AccessDenied):
                        await change
                with pytest.raises(AccessDenied):
                    await reader.delete("exec:e1:k")
            # One by one: moto evaluates each name of a batch by the bucket's policy alone.
            await store.tenant("acme").delete_snapshot(saved.execution_id)
            await store.delete("exec:e1:k")
            assert not await store.exists("exec:e1:k")
        for elsewhere in ("app/other", "app", "app/state-old"):
            async with server.store("runtime", elsewhere) as store:
                for call in (store.set("k", b"v"), store.get("k"), store.delete("k")):
                    with pytest.raises(AccessDenied):
                        await call

    with enforcing("plain-policies") as server:
        server.user("runtime", documents["plain"]["runtime"])
        server.user("reader", documents["plain"]["read_only"])
        server.enforce()
        asyncio.run(work(server))

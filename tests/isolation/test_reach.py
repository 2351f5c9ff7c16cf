"""A tenant's view names nothing outside the tenant's prefix, whatever the arguments.

The proof is what a proxy records on the way to the server. The calls are found in the protocol
itself: one that is not driven here fails a test.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statebucket import errors
from support.every_call import DRIVERS, Ids, drive, public_calls
from support.fault_proxy.proxy import FaultProxy
from support.recorded_names import in_request
from support.selection import examples
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket import StateStore
    from support.servers import Server
    from support.targets.deployments import Deployment

SERVERS = {"s3": "ministack", "gcs": "fake", "azure": "azurite"}
# Tenants as they call themselves, and the segment that is theirs, written out by hand.
TENANTS = {
    "acme": "acme",
    "ac": "ac",
    "../other": "~2E.~2Fother",
    "other/snapshots": "other~2Fsnapshots",
    "%2e%2e": "~252e~252e",
}
# The bucket's rules are the bucket's; a view may look at them.
OF_THE_BUCKET = {"check_lifecycle", "apply_lifecycle"}

hostile = st.sampled_from(
    [
        "theirs",
        "..",
        "../other/snapshots/theirs",
        "../../owners/theirs/other",
        "/tenants/other/keys/k",
        "a//b",
        "%2e%2e%2f",
        "~2E~2E~2F",
        "a?prefix=",
        "x&prefix=tenants",
        "#",
        "\\..\\other",
        "é\n\r\n",
        "other",
        "",
        "k" * 1100,
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    service: str = request.param
    with deployment_on(service, request.getfixturevalue(SERVERS[service]), tmp_path) as found:
        yield found


def test_every_public_call_is_driven() -> None:
    assert public_calls() == set(DRIVERS)


def escaped(text: str) -> str:
    """A segment, written without the code under test."""
    raw = text.encode(errors="surrogatepass")
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = len(raw) - 1
    return "".join(
        chr(byte) if byte in plain or (byte == ord(".") and 0 < at < last) else f"~{byte:02X}"
        for at, byte in enumerate(raw)
    )


async def fill(store: StateStore) -> None:
    """The state of a tenant that no one else may reach, and what belongs to none."""
    for tenant, execution in (("other", "theirs"), ("acme2", "e2"), ("tenants", "e3")):
        ids = Ids(execution, "k", "r", tenant)
        for call in ("save_snapshot", "set"):
            await drive(store.tenant(tenant), call, ids)
    await store.set("shared", b"v")
    await store.set("exec:theirs:shared", b"v")


def contents(deployment: Deployment) -> dict[str, object]:
    """All objects but those of the tenants that are driven."""
    assert deployment.target is not None
    own = tuple(f"tenants/{segment}/" for segment in TENANTS.values())
    records = tuple(f"/{segment}" for segment in TENANTS.values())
    return {
        name: deployment.target.raw_get(name)
        for name in deployment.target.raw_names()
        if not name.startswith(own) and not (name.startswith("owners/") and name.endswith(records))
    }


@pytest.mark.slow
@pytest.mark.parametrize("deployment", SERVERS, indirect=True)
def test_a_view_names_only_what_is_its_own(deployment: Deployment) -> None:
    with FaultProxy("127.0.0.1", deployment.port) as proxy, asyncio.Runner() as runner:
        store = deployment.open(proxy.url)
        runner.run(fill(store))
        before = contents(deployment)
        assert len(before) > 8
        records: set[str] = set()

        @settings(max_examples=examples(1, 4), deadline=None)
        @given(
            st.sampled_from(list(TENANTS)),
            st.builds(Ids, hostile, hostile, hostile, hostile | st.sampled_from(["acme", "other"])),
        )
        @example("acme", Ids("theirs", "k", "r", "other"))
        @example("../other", Ids("e1", "../../../owners/theirs/other", "/", "acme"))
        def check(tenant: str, ids: Ids) -> None:
            view = store.tenant(tenant)
            own = f"{deployment.prefix}tenants/{TENANTS[tenant]}/"
            record = f"{deployment.prefix}owners/{escaped(ids.execution)}/{TENANTS[tenant]}"
            # Of any execution: a clean-up finds those that a key of an earlier example names.
            mine = re.compile(
                f"{re.escape(deployment.prefix)}owners/[^/]+/{re.escape(TENANTS[tenant])}"
            )
            for call in sorted(DRIVERS):
                proxy.clear()
                runner.run(drive(view, call, ids))
                for request in proxy.requests:
                    for thing in in_request(deployment.service, request):
                        if thing.what == "bucket":
                            assert (call in OF_THE_BUCKET, request.method) == (True, "GET")
                        elif thing.name.startswith(f"{deployment.prefix}owners/"):
                            assert thing.what == "object"
                            assert mine.fullmatch(thing.name), (call, thing)
                        else:
                            assert thing.name.startswith(own), (call, thing)
                        if thing.name == record:
                            records.add(record)

        check()
        runner.run(store.shutdown())
        assert records
        assert contents(deployment) == before


@pytest.mark.slow
@pytest.mark.parametrize("deployment", SERVERS, indirect=True)
def test_every_call_is_seen_to_name_something(deployment: Deployment) -> None:
    """Or the proof would prove nothing: each call that sends requests is read to its names."""
    with FaultProxy("127.0.0.1", deployment.port) as proxy, asyncio.Runner() as runner:
        store = deployment.open(proxy.url)
        silent = set()
        for call in sorted(DRIVERS):
            proxy.clear()
            runner.run(drive(store.tenant("acme"), "set", Ids("e", "k", "r", "acme")))
            proxy.clear()
            runner.run(drive(store.tenant("acme"), call, Ids("e", "k", "r", "acme")))
            if not any(in_request(deployment.service, request) for request in proxy.requests):
                silent.add(call)
        runner.run(store.shutdown())
    expected = {"name", "requires_network", "supports_air_gapped", "stats", "shutdown"}
    expected |= {"tenant_id", "snapshot"}
    if deployment.service == "azure":
        expected |= OF_THE_BUCKET  # where the rules are out of the data plane's sight
    assert silent == expected


@pytest.mark.asyncio
async def test_a_view_does_not_write_the_bucket_s_rules(ministack: Server, tmp_path: Path) -> None:
    with deployment_on("s3", ministack, tmp_path) as deployment:
        async with deployment.open() as store:
            view = store.tenant("acme")
            assert not (await view.apply_lifecycle()).applied
            with pytest.raises(errors.UnsupportedOperation, match="whole bucket"):
                await view.apply_lifecycle(dry_run=False)

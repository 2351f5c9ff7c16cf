"""Any stored bytes and any reply give a value or a typed error, and nothing else."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from statebucket import ExecutionSnapshot, StateStore, errors, open_store
from statebucket.testing.contract.base import snapshot
from support.every_call import DRIVERS, Ids, drive
from support.fault_proxy.proxy import FaultProxy, Reply, RewriteReply
from support.selection import examples
from support.targets.deployments import deployment_on
from support.targets.local import MemoryTarget, SQLiteTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.targets.deployments import Deployment

SERVERS = {"s3": "ministack", "gcs": "fake", "azure": "azurite"}
MINE = Ids("e1", "k", "r", "acme")
# Each kind of object, with a good body of it.
KINDS = {
    "tenants/acme/snapshots/e1": snapshot().to_json(),
    "tenants/acme/keys/k": b'{"a":[1,2]}',
    "tenants/acme/executions/e1/r": b"[]",
    "tenants/acme/leases/e1": json.dumps({"holder": "h", "fence": 1, "expires_ms": 0}).encode(),
    "owners/e1/acme": json.dumps({"written_ms": 1}).encode(),
    "shared/keys/k": b"null",
}
NUMBERS: list[Any] = [-1, 0, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1e300, None, True, "1", [], {}]


@st.composite
def altered(draw: st.DrawFn, good: bytes) -> bytes:
    """A body that was good: with a value of another kind, bytes changed, or cut."""
    if good.startswith(b"{") and draw(st.booleans()):
        fields = json.loads(good)
        fields[draw(st.sampled_from(sorted(fields)))] = draw(st.sampled_from(NUMBERS))
        return json.dumps(fields).encode()
    body = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        if body:
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body)


metadata = st.dictionaries(
    st.sampled_from(["expiresat", "tail", "format", "writeid", "x"]),
    st.sampled_from(["0", "1", "3", "-1", "", "1e9", "9" * 30, "٣", "0x1", " 1", "1\n"])
    | st.text(max_size=5),
    max_size=2,
)


@settings(max_examples=examples(50, 200), deadline=None)
@given(st.data(), st.sampled_from(sorted(KINDS)), metadata)
def test_any_stored_object(data: st.DataObject, name: str, extra: dict[str, str]) -> None:
    good = st.just(KINDS[name])
    body: bytes = data.draw(good | good | st.binary(max_size=40) | altered(KINDS[name]))
    target = MemoryTarget()
    for other, usual in KINDS.items():
        target.raw_put(other, usual)
    target.raw_put(name, body, extra)

    async def work() -> None:
        async with target.open() as store:
            views = (store, store.tenant("acme"))
            for view in views:
                for call in READS:
                    await drive(view, call, MINE)
            raw = target.raw_get(name)
            assert raw is not None
            assert raw.body == body
            for view in views:
                for call in ("lease", "save_snapshot", "sweep", "delete_execution_state"):
                    await drive(view, call, MINE)

    asyncio.run(work())


READS = ("load_snapshot", "load_stored", "get", "get_stored", "get_json", "exists", "iter_keys")


@pytest.mark.timeout(300)
@settings(
    max_examples=examples(20, 60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.data())
def test_any_sqlite_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("file")
    target = SQLiteTarget(folder)

    async def write() -> None:
        async with target.open() as store:
            for call in ("save_snapshot", "set", "lease"):
                await drive(store.tenant("acme"), call, MINE)

    asyncio.run(write())
    body = bytearray(target.path.read_bytes())
    for _ in range(data.draw(st.integers(0, 12))):
        # The head of a page says how to read it; most changes elsewhere are in nothing.
        page = 4096 * data.draw(st.integers(0, len(body) // 4096 - 1))
        at = page + data.draw(st.integers(0, 200) | st.integers(0, 4095))
        body[at] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.just(len(body)) | st.integers(0, len(body)))]
    target.path.write_bytes(body)

    async def read() -> None:
        async with open_store(f"sqlite:///{target.path}", deadline=0.3) as store:
            for call in (*READS, "list_snapshots", "iter_tenants", "health_check", "set", "sweep"):
                await drive(store.tenant("acme"), call, MINE)

    asyncio.run(read())
    shutil.rmtree(folder)


@settings(max_examples=examples(50, 200), deadline=None)
@given(
    st.text(max_size=40)
    | st.builds(
        "{}://{}{}?{}".format,
        st.sampled_from(["memory", "sqlite", "s3", "gs", "az", "http", "S3", ""]),
        st.text(max_size=10),
        st.text("/ab.~%\\", max_size=10) | st.text(max_size=10),
        st.text("region=endpoint_url&%#", max_size=20) | st.text(max_size=10),
    )
)
@example("s3://[::1")
@example("memory://a\ud800")
@example("sqlite:///\x00")
def test_any_url(url: str) -> None:
    try:
        store = open_store(url)
    except errors.StateBucketError:
        return
    assert isinstance(store, StateStore)


@settings(max_examples=examples(50, 150), deadline=None)
@given(st.data())
def test_an_altered_snapshot_is_one_or_is_refused(data: st.DataObject) -> None:
    body = data.draw(altered(KINDS["tenants/acme/snapshots/e1"]))
    try:
        loaded = ExecutionSnapshot.from_json(body)
    except errors.InvalidSnapshot:
        return
    assert ExecutionSnapshot.from_json(loaded.to_json()) == loaded


@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    service: str = request.param
    with deployment_on(service, request.getfixturevalue(SERVERS[service]), tmp_path) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("deployment", SERVERS, indirect=True)
def test_any_answer(deployment: Deployment) -> None:
    calls = [call for call in sorted(DRIVERS) if call not in {"lease", "writer", "delete_tenant"}]
    with FaultProxy("127.0.0.1", deployment.port) as proxy, asyncio.Runner() as runner:
        store = deployment.open(proxy.url, deadline=2.0)
        view = store.tenant("acme")

        @settings(
            max_examples=examples(20, 60), deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.sampled_from(calls), st.data())
        def check(call: str, data: st.DataObject) -> None:
            changes = data.draw(
                st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=4)), max_size=4)
            )
            whole = data.draw(st.none() | st.binary(max_size=30))
            values = data.draw(st.lists(st.text('0aé"W/ ;=', max_size=4), max_size=2))

            def alter(reply: Reply, _: object) -> Reply:
                body = reply.body if whole is None else whole
                for where, new in changes:
                    at = int(where * len(body))
                    body = body[:at] + new + body[at + len(new) :]
                return replace(reply, body=body, headers=_changed(reply.headers, values))

            runner.run(drive(view, "set", MINE))
            proxy.plan(RewriteReply(alter))
            runner.run(drive(view, call, MINE))
            proxy.heal()

        check()
        runner.run(store.shutdown())


def _changed(headers: Any, values: list[str]) -> Any:
    """Headers, those with a meaning of their own changed; the framing stays."""
    told = [name for name, _ in headers if name.lower() in TOLD]
    new = dict(zip(told, values, strict=False))
    return tuple((name, new.get(name, value)) for name, value in headers)


TOLD = {
    "etag",
    "last-modified",
    "content-type",
    "x-goog-generation",
    "x-goog-hash",
    "x-amz-meta-tail",
    "x-amz-meta-expiresat",
    "x-ms-meta-expiresat",
    "x-goog-meta-expiresat",
    "content-md5",
}

"""Many saves at once: limited requests, connections and memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from textwrap import dedent

import pytest

from statebucket import ExecutionSnapshot
from support.competing_processes import environ
from support.fault_proxy.proxy import DelayReply
from support.places import ACME, REMOTE, Place, snapshot
from support.slow_bucket import SlowBucket

MIB = 1 << 20
SAVES = 1000
SIZE = 16 * 1024

SCRIPT = f"""
    import asyncio, sys
    from statebucket import ExecutionSnapshot, ExecutionState, open_store

    async def main():
        async with open_store(sys.argv[1], deadline=300) as store:
            def save(number):
                return store.save_snapshot(ExecutionSnapshot(
                    execution_id=f"e{{number}}", tenant_id="acme", state=ExecutionState.RUNNING,
                    sequence_number=1, variables={{"text": f"{{number:08d}}" * {SIZE // 8}}}))
            await asyncio.gather(*map(save, range({SAVES})))
            found = [name async for name in store.iter_snapshots("acme")]
        print(len(found), peak_kib() * 1024)

    def peak_kib():
        # Not ru_maxrss, which begins with that of the process that started this one.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_thousand_saves_at_once_fit_into_a_small_function(place: Place) -> None:
    run = subprocess.run(
        [sys.executable, "-c", dedent(SCRIPT), place.url],
        env=environ(place.environ),
        stdout=subprocess.PIPE,
        text=True,
        timeout=280,
        check=True,
    )
    saved, peak = map(int, run.stdout.split())
    assert saved == SAVES
    assert peak < 128 * MIB


@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize("bound", [1, 5])
def test_connections_match_the_bound_on_requests(place: Place, bound: int) -> None:
    proxy = place.proxy
    assert proxy is not None

    async def main() -> None:
        async with place.open(max_in_flight=bound) as store:
            await store.set("first", b"v")
            # Each request waits, so that all who may be under way are.
            proxy.always(DelayReply(0.05))
            await asyncio.gather(*(store.set(f"k{number}", b"v") for number in range(8 * bound)))

    asyncio.run(main())
    assert len({request.connection for request in proxy.requests}) == bound


@pytest.mark.asyncio
async def test_bodies_are_encoded_once_their_turn_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = SlowBucket(seconds=0.001)
    encoded = 0
    most = 0

    class Counted(ExecutionSnapshot, frozen=True, kw_only=True):
        def to_json(self) -> bytes:
            nonlocal encoded, most
            encoded += 1
            most = max(most, encoded - len(bucket.written))
            return super().to_json()

    def counted(number: int) -> Counted:
        plain = snapshot(number, f"e{number}")
        return Counted(
            execution_id=plain.execution_id,
            tenant_id=plain.tenant_id,
            state=plain.state,
            sequence_number=number,
        )

    async with bucket.store(monkeypatch, max_in_flight=7) as store:
        acme = store.tenant(ACME)
        await asyncio.gather(*(acme.save_snapshot(counted(number)) for number in range(100)))
    assert encoded == len(bucket.written) == 100
    assert most == 7
    assert bucket.most_in_flight == 7

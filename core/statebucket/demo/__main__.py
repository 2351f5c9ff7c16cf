"""The story of the demo."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from statebucket import ExecutionId, ExecutionSnapshot, TenantId, errors, open_store
from statebucket.cli.exits import Exit, exit_of
from statebucket.demo.job import STEPS, run, text_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from statebucket import StateStore

KILLED_IN = STEPS // 2


def main() -> int:
    """Runs the demo on ``STATEBUCKET_URL``, or on an SQLite file of its own.

    Returns:
        0 if everything was right, else one of the command line's exit codes.
    """
    folder = Path(os.environ.get("DEMO_INPUT") or sysconfig.get_paths()["stdlib"])
    files = text_files(folder)
    if not files:
        say(f"There are no text files below {folder}: set DEMO_INPUT to a folder that has some.")
        return 2
    with tempfile.TemporaryDirectory(prefix="statebucket-demo-") as own:
        url = os.environ.get("STATEBUCKET_URL") or f"sqlite:///{own}/state.db"
        if url.startswith("memory:"):
            say("The demo runs worker processes, which cannot share memory://: use sqlite:///…")
            return 2
        try:
            return asyncio.run(story(url, folder, files))
        except errors.StateBucketError as error:
            say(f"\n{type(error).__name__}: {error}")
            return exit_of(error)
        except KeyboardInterrupt:
            say("\nInterrupted.")
            return Exit.INTERRUPTED


async def story(url: str, folder: Path, files: list[Path]) -> int:
    """Runs the demo step by step, and checks the results."""
    mark = uuid4().hex[:6]  # a bucket may hold the jobs of other demos
    jobs = [
        (TenantId(f"{name}-{mark}"), ExecutionId(f"stats-{name}-{mark}"))
        for name in ("acme", "globex")
    ]
    async with open_store(url) as store:
        await store.health_check()  # so that this fails before a worker does
        say(f"statebucket on {store.name}: {len(files)} text files below {folder}\n")
        try:
            right = await _show_steps(store, url, folder, files, jobs)
        finally:
            await _clean_up(store, jobs)
    say("\nAll as it should be." if right else "\nSOMETHING IS WRONG: see above.")
    return 0 if right else 1


async def _show_steps(
    store: StateStore,
    url: str,
    folder: Path,
    files: list[Path],
    jobs: Sequence[tuple[TenantId, ExecutionId]],
) -> bool:
    (first, execution), (second, other) = jobs
    say(f"1. A worker starts {execution}: {STEPS} steps, a snapshot after each.")
    with _worker(url, first, execution, folder, KILLED_IN) as killed:
        assert killed.stdout is not None  # noqa: S101  (it is piped)
        await asyncio.to_thread(killed.stdout.readline)
        killed.kill()
        code = await asyncio.to_thread(killed.wait)
    left = await store.load_snapshot(execution)
    if left is None:
        say("   The worker left no snapshot.")
        return False
    say(f"   Killed with SIGKILL in the middle of step {KILLED_IN + 1} (exit code {code}).")
    say(f"   Its snapshot is at sequence number {left.sequence_number}, {_state(left)}.\n")

    say("2. A second process continues from the snapshot; another tenant's job runs beside it.")
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(url, *job, folder)) for job in jobs]
        codes = [await asyncio.to_thread(worker.wait) for worker in workers]
    resumed = await store.load_snapshot(execution)
    async with open_store("memory://") as elsewhere:
        whole = await run(elsewhere, first, execution, files)
    same = resumed is not None and resumed.variables == whole.variables and codes == [0, 0]
    say(f"   The result equals that of a run without interruption: {'yes' if same else 'NO'}\n")
    table(("result", "value"), sorted(whole.variables.items()))

    say("\n3. What is in the bucket.")
    ours = {tenant for tenant, _ in jobs}
    tenants = [tenant async for tenant in store.iter_tenants() if tenant in ours]
    rows = []
    for tenant in tenants:
        for id_ in await store.list_snapshots(tenant, 10):
            stored = await store.tenant(tenant).load_stored(id_)
            if stored is not None:
                keys = [key async for key in store.tenant(tenant).iter_keys(id_)]
                snapshot = stored.value
                rows.append(
                    (
                        tenant,
                        id_,
                        _state(snapshot),
                        snapshot.sequence_number,
                        stored.size,
                        len(keys),
                    )
                )
    table(("tenant", "execution", "state", "sequence", "bytes", "keys"), rows)
    listed = set(tenants) == ours and [row[3] for row in rows] == [STEPS + 1] * len(jobs)

    say("\n4. A value with a TTL is gone for every reader as soon as it expires.")
    view, key = store.tenant(second), f"exec:{other}:note"
    await view.set(key, b"for a moment", timedelta(seconds=3))  # time to read it, too
    before, started = await view.get(key), time.monotonic()
    while await view.exists(key):  # noqa: ASYNC110  (it expires by the clock, without an event)
        await asyncio.sleep(0.05)
    waited, after = time.monotonic() - started, await view.get(key)
    say(f"   set with 3 s: {before!r}; after {waited:.1f} s: {after!r}")
    say("   A lifecycle rule or sweep removes the expired object; the demo deletes it here.")
    await view.delete(key)
    expired = before == b"for a moment" and after is None
    return same and listed and expired


async def _clean_up(store: StateStore, jobs: Iterable[tuple[TenantId, ExecutionId]]) -> None:
    say("\n5. Clean-up by prefix.")
    rows = []
    for tenant, execution in jobs:
        report = await store.delete_execution_state(execution)
        rest = await store.delete_tenant(tenant)
        gone = [id_ async for id_ in store.iter_snapshots(tenant)] == []
        rows.append((execution, report.keys + rest.keys, report.bytes, "yes" if gone else "NO"))
    table(("execution", "keys removed", "bytes", "nothing left"), rows)


@contextmanager
def _worker(
    url: str, tenant: str, execution: str, folder: Path, hold_in: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A worker, which ends with the block: only the demo reacts to Ctrl-C, not its workers."""
    arguments = [url, tenant, execution, str(folder)] + ([] if hold_in is None else [str(hold_in)])
    command = [sys.executable, "-m", "statebucket.demo.worker", *arguments]
    with subprocess.Popen(  # noqa: S603  (our own module)
        command, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _state(snapshot: ExecutionSnapshot) -> str:
    return str(getattr(snapshot.state, "value", snapshot.state))


def say(text: str) -> None:
    """Prints a line of the story."""
    print(text, flush=True)  # noqa: T201  (that is what a demo does)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table, as wide as it needs to be."""
    cells = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
    for number, row in enumerate(cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(f"   {line.rstrip()}")
        if number == 0:
            say("   " + "  ".join("-" * width for width in widths))


if __name__ == "__main__":
    sys.exit(main())

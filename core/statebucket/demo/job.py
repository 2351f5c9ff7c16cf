"""A resumable job: statistics over text files, one step for each share of the files.

After each step the execution's snapshot is saved; a step's own result is a working value under
``exec:{execution}:…`` with a TTL. Running the job again continues after the last saved step.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, StepId, TenantId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from statebucket import StateStore

STEPS = 8
"""Steps that read files; one more adds up."""

WORKING_TTL = timedelta(hours=1)
_WORD = re.compile(rb"[A-Za-z_]{4,}")
_TOP = 5


def share_of(files: list[Path], step: int) -> list[Path]:
    """The files that a step reads."""
    return files[step::STEPS]


def text_files(folder: Path, most: int = 400) -> list[Path]:
    """Up to ``most`` text files below a folder, in a fixed order."""
    kinds = {".py", ".txt", ".md", ".rst", ".csv", ".json", ".log", ".html", ".tf"}
    found = sorted(path for path in folder.rglob("*") if path.suffix in kinds and path.is_file())
    return found[:most]


def count(files: list[Path]) -> dict[str, Any]:
    """Files, lines, bytes and words of some files."""
    words: Counter[bytes] = Counter()
    lines = size = 0
    for path in files:
        data = path.read_bytes()
        lines += data.count(b"\n")
        size += len(data)
        words.update(_WORD.findall(data.lower()))
    return {
        "files": len(files),
        "lines": lines,
        "bytes": size,
        "words": {word.decode(): number for word, number in words.most_common(200)},
    }


async def run(
    store: StateStore,
    tenant: TenantId,
    execution: ExecutionId,
    files: list[Path],
    halfway: Callable[[int], Awaitable[None]] | None = None,
) -> ExecutionSnapshot:
    """Runs the job, from the start or from where it stopped.

    Args:
        store: Where its state is kept.
        tenant: The tenant that the job belongs to.
        execution: The job's id.
        files: What to read.
        halfway: Called in the middle of each step, between its working value and its snapshot.

    Returns:
        The final snapshot, with the result in ``variables``.
    """
    mine = store.tenant(tenant)
    stored = await mine.load_stored(execution)
    if stored is None:
        snapshot = ExecutionSnapshot(
            execution_id=execution,
            tenant_id=tenant,
            state=ExecutionState.RUNNING,
            sequence_number=0,
        )
        version = await mine.save_snapshot(snapshot)
    else:
        snapshot, version = stored.value, stored.version
    for step in range(snapshot.sequence_number, STEPS):
        part = count(share_of(files, step))
        await mine.set_json(f"exec:{execution}:part-{step}", part, WORKING_TTL)
        if halfway is not None:
            await halfway(step)
        done = {"files": part["files"], "lines": part["lines"]}
        snapshot = snapshot.advance(
            current_step_id=StepId(f"count-{step}"),
            step_outputs={f"count-{step}": done},
        )
        # Conditional: if another worker has taken over meanwhile, this one stops here.
        version = await mine.save_snapshot(snapshot, if_version=version)
    if not snapshot.state.is_terminal:
        parts = [await mine.get_json(f"exec:{execution}:part-{step}") for step in range(STEPS)]
        snapshot = snapshot.advance(state=ExecutionState.COMPLETED, variables=_total(parts))
        await mine.save_snapshot(snapshot, if_version=version)
    return snapshot


def _total(parts: list[dict[str, Any]]) -> dict[str, Any]:
    words: Counter[str] = Counter()
    for part in parts:
        words.update(part["words"])
    return {
        "files": sum(part["files"] for part in parts),
        "lines": sum(part["lines"] for part in parts),
        "bytes": sum(part["bytes"] for part in parts),
        "top_words": dict(sorted(words.items(), key=lambda item: (-item[1], item[0]))[:_TOP]),
    }

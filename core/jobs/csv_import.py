"""A file's rows imported in batches, over as many invocations as it takes."""

import csv
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from statebucket import ExecutionState, Version
from statebucket.sync import BlockingExecutionStore

Rows = list[dict[str, str]]


def import_rows(
    execution: BlockingExecutionStore, file: Path, insert: Callable[[Rows], None]
) -> None:
    """Imports what earlier invocations have not; VersionConflict: another one is at it."""
    stored = execution.load_stored()
    snapshot = stored.value if stored else execution.snapshot(variables={"rows": 0})
    version = stored.version if stored else Version.ABSENT
    if snapshot.state == ExecutionState.COMPLETED:
        return
    with file.open(newline="") as lines:
        rows = islice(csv.DictReader(lines), snapshot.variables["rows"], None)
        while batch := list(islice(rows, 500)):
            insert(batch)
            snapshot = snapshot.advance(
                variables={"rows": snapshot.variables["rows"] + len(batch)},
                state=ExecutionState.RUNNING,
            )
            version = execution.save(snapshot, if_version=version)
    execution.save(snapshot.advance(state=ExecutionState.COMPLETED), if_version=version)

"""A sweep in parts, run by a Distributed Map of Step Functions.

The state machine calls the function once to divide the store, then once for each part, and retries
parts that fail.
"""

from __future__ import annotations

import os
from typing import Any

from statebucket import Partition
from statebucket.sync import open_store

store = open_store()  # STATEBUCKET_URL


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Divides the store, or sweeps the part that the event describes."""
    if event.get("divide"):
        parts = store.partitions(int(os.environ["PARTS"]))
        return {"parts": [part.to_dict() for part in parts]}
    report = store.sweep(partition=Partition.from_dict(event))
    return {"scanned": report.scanned, "removed": report.removed}

"""A sweep in parts, run by a Distributed Map of Step Functions.

The state machine calls the function once to divide the store, then once for each part, and retries
parts that fail. The division is kept as a key of the store, since Step Functions passes at most
256 KiB from one state to the next.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from statebucket import Partition
from statebucket.sync import open_store

store = open_store()  # STATEBUCKET_URL


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Divides the store for a run, or sweeps the part of it that the event names."""
    division = f"sweep-parts/{event['run']}"
    if "part" not in event:
        parts = [part.to_dict() for part in store.partitions(int(os.environ["PARTS"]))]
        store.set_json(division, parts, ttl=timedelta(days=14))  # as long as a run can be redriven
        return {"run": event["run"], "parts": list(range(len(parts)))}
    parts = store.get_json(division)
    report = store.sweep(partition=Partition.from_dict(parts[event["part"]]))
    return {"scanned": report.scanned, "removed": report.removed}

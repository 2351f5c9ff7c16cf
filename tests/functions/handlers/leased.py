"""A step that must not run twice at a time, for a queue that may deliver its event twice."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from statebucket import ExecutionState
from statebucket.sync import open_store

store = open_store()  # STATEBUCKET_URL


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Does one step, numbered by its event.

    Raises:
        LeaseHeld: Another invocation is working on it; the queue delivers the event again later.
    """
    execution = store.tenant(event["tenant_id"]).execution(event["execution_id"])
    with execution.lease(ttl=timedelta(seconds=30)) as lease:
        before = execution.load()
        if before is not None and before.sequence_number >= event["number"]:
            return {"done": before.step_outputs}  # delivered twice

        outputs = dict(before.step_outputs) if before else {}
        outputs[event["step"]] = charge(event, lease.fence)

        # LeaseLost if this process was frozen past its lease and another has taken over.
        execution.save(
            execution.snapshot(
                state=ExecutionState.RUNNING,
                step_outputs=outputs,
                sequence_number=event["number"],
            ),
            lease=lease,
            only_newer=True,
        )
    return {"done": outputs}


def charge(event: dict[str, Any], fence: int) -> dict[str, int]:
    """The work: something whose other end refuses a fence below the highest it has seen."""
    time.sleep(event["seconds"])
    return {"fence": fence}

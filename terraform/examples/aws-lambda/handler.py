"""One step of a long execution for each invocation, on AWS Lambda.

Invocations may run on any machine, in sequence or concurrently: the state is in the bucket, and a
version guards each save.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from statebucket import ExecutionState, Version
from statebucket.sync import open_store

STEPS = ["fetch", "transform", "publish"]

store = open_store()  # STATEBUCKET_URL; here, so that warm invocations keep its connections


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Runs the next step of the execution that the event names, with its tenant."""
    execution = store.tenant(event["tenant_id"]).execution(event["execution_id"])
    stored = execution.load_stored()
    before = stored.value if stored else None
    if before is not None and before.state.is_terminal:
        return {"state": "done", "outputs": before.step_outputs}

    outputs = dict(before.step_outputs) if before else {}
    step = STEPS[len(outputs)]
    outputs[step] = f"{step} of {event['execution_id']}"
    finished = len(outputs) == len(STEPS)

    # VersionConflict if another invocation did this step; a retry continues with the next one.
    execution.save(
        execution.snapshot(
            state=ExecutionState.COMPLETED if finished else ExecutionState.RUNNING,
            step_outputs=outputs,
            sequence_number=len(outputs),
        ),
        if_version=stored.version if stored else Version.ABSENT,
        ttl=timedelta(days=7) if finished else None,
    )
    return {"state": "done" if finished else "running", "outputs": outputs}

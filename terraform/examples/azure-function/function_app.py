"""One step of a long execution for each request, on Azure Functions.

Calls may run on any machine, in sequence or concurrently: the state is in the container, and a
version guards each save.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import azure.functions as func

from statebucket import ExecutionState, Version
from statebucket.sync import open_store

STEPS = ["fetch", "transform", "publish"]

store = open_store()  # STATEBUCKET_URL; here, so that warm calls keep its connections
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def next_step(request: dict[str, Any]) -> dict[str, Any]:
    """Runs the next step of the execution that a request names.

    Args:
        request: ``tenant_id`` and ``execution_id``.
    """
    execution = store.tenant(request["tenant_id"]).execution(request["execution_id"])
    stored = execution.load_stored()
    before = stored.value if stored else None
    if before is not None and before.state.is_terminal:
        return {"state": "done", "outputs": before.step_outputs}

    outputs = dict(before.step_outputs) if before else {}
    step = STEPS[len(outputs)]
    outputs[step] = f"{step} of {request['execution_id']}"
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


@app.route(route="step", methods=["POST"])
def step(request: func.HttpRequest) -> func.HttpResponse:
    """Answers a request whose JSON names the execution."""
    answer = next_step(request.get_json())
    return func.HttpResponse(json.dumps(answer), mimetype="application/json")

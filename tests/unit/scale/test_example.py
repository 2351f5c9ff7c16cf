"""The example function that sweeps in a Distributed Map: its events are plain JSON."""

from __future__ import annotations

import json
import runpy
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statebucket.sync import open_store

if TYPE_CHECKING:
    import pytest

HANDLER = Path(__file__).parents[3] / "terraform/examples/aws-sweep/handler.py"


STEP_FUNCTIONS_BYTES = 262_144
"""A state's input or output: docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""


def test_the_parts_that_the_function_makes_are_events_that_it_sweeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with open_store(url, clock=lambda: time.time() - 7200) as store:
        for at in range(60):
            store.tenant("acme").set(f"k{at}", b"v", 60 if at % 2 else None)
    monkeypatch.setenv("STATEBUCKET_URL", url)
    monkeypatch.setenv("PARTS", "4")
    function = runpy.run_path(str(HANDLER))
    handler: Any = function["handler"]
    divided = json.loads(json.dumps(handler({"run": "night-1"}, None)))
    assert divided == {"run": "night-1", "parts": [0, 1, 2, 3]}
    events = [{"run": divided["run"], "part": part} for part in divided["parts"]]
    swept = [json.loads(json.dumps(handler(event, None))) for event in events]
    function["store"].shutdown()
    assert sum(one["removed"] for one in swept) == 30
    assert sum(one["scanned"] for one in swept) == 60 + 1  # the division


def test_what_step_functions_passes_on_does_not_grow_with_the_ids(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with open_store(url) as store:
        tenant = store.tenant("t" * 100)
        for at in range(400):
            tenant.set(f"{at:03}-{'k' * 700}", b"")
    monkeypatch.setenv("STATEBUCKET_URL", url)
    monkeypatch.setenv("PARTS", "300")
    function = runpy.run_path(str(HANDLER))
    divided = json.dumps(function["handler"]({"run": "night-1"}, None))
    kept = function["store"].get("sweep-parts/night-1")
    function["store"].shutdown()
    assert len(divided) < 2_000
    assert len(kept) > STEP_FUNCTIONS_BYTES

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
    divided = json.loads(json.dumps(handler({"divide": True}, None)))
    assert len(divided["parts"]) == 4
    swept = [json.loads(json.dumps(handler(part, None))) for part in divided["parts"]]
    function["store"].shutdown()
    assert sum(one["removed"] for one in swept) == 30
    assert sum(one["scanned"] for one in swept) == 60

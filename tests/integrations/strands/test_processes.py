"""Two processes invoke an agent of one session; each has an event loop, a store and an agent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integrations.strands.app import agent
from statebucket import errors
from statebucket_strands import StatebucketSessionManager

if TYPE_CHECKING:
    from support.targets.deployments import Deployment

APP = Path(__file__).with_name("app.py")


def start(deployment: Deployment, wait: int, said: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, APP, deployment.url, "order-17", str(wait), said],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **deployment.environ},
    )


def answering(process: subprocess.Popen[str]) -> None:
    """Returns when its model is asked."""
    assert process.stdout is not None
    assert process.stdout.readline() == "answering\n"


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Has its model answer; what its agent has in its memory then."""
    out, err = process.communicate("\n", timeout=100)
    assert process.returncode == 0, err
    found: list[str] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("deployment", ["s3+http"], indirect=True)
def test_a_second_process_waits_or_is_refused(deployment: Deployment) -> None:
    with start(deployment, 0, "one") as first:
        answering(first)
        with start(deployment, 200, "two") as second:
            refused = agent(StatebucketSessionManager("order-17", deployment.open()))
            with pytest.raises(errors.LeaseHeld):
                refused("meanwhile")
            assert finish(first) == ["one", "ONE"]
            answering(second)
            assert finish(second) == ["one", "ONE", "two", "TWO"]

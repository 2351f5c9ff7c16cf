"""Durable functions keep large results in a bucket, on AWS's own local runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.test_blocks import DURABLE, Block
from integrations.aws.environment import missing, run
from support.missing import need

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment

CASES = Path(__file__).with_name("durable_cases.py")
ON = ["sqlite", "s3+http", "gcs+http", "azure+http"]

pytestmark = pytest.mark.slow


def cases(deployment: Deployment, url: str, *arguments: str) -> str:
    """What pytest says of these tests, in the environment of their own."""
    need(missing)
    # Apart from this project's settings and fixtures, which need what is not there.
    alone = ("-c", os.devnull, "--rootdir", str(CASES.parent), "--noconftest")
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *alone, str(CASES), *arguments)
    return run(
        *command,
        env={**deployment.environ, "STATEBUCKET_URL": url},
    )


@pytest.mark.parametrize("deployment", ON, indirect=True)
def test_on_a_service(deployment: Deployment) -> None:
    said = cases(deployment, deployment.url)
    assert said.splitlines()[-1].startswith("34 passed in "), said


@pytest.mark.parametrize("deployment", ["s3+http", "gcs+http", "azure+http"], indirect=True)
def test_a_large_result_is_one_request_and_one_a_replay(
    deployment: Deployment, counted: FaultProxy
) -> None:
    cases(deployment, deployment.seen(counted.url), "-k", "megabyte")
    write = "POST" if deployment.service == "gcs" else "PUT"
    assert [request.method for request in counted.requests] == [write, "GET"]


@pytest.mark.parametrize("block", DURABLE, ids=[block.where for block in DURABLE])
def test_a_block_of_the_page_runs(block: Block, tmp_path: Path) -> None:
    need(missing)
    (tmp_path / "block.py").write_text(block.code)
    assert block.runs == [run("-W", "error", "block.py", env={}, cwd=tmp_path)], block.where

"""The examples of AWS as root modules: planned with what the environment says."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from terraform.hcl import ROOT
from terraform.tool import Terraform

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("example", ["aws-lambda", "aws-idempotency", "aws-sweep"])
def test_the_example_is_a_root_module_that_takes_the_rest_from_the_environment(
    server: Server,
    mirror: Path | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    example: str,
) -> None:
    shutil.copytree(ROOT, tmp_path / "terraform")
    folder = tmp_path / "terraform/examples" / example
    values = {"name": "statebucket-root", "package": "handler.py"}
    (folder / "terraform.tfvars.json").write_text(json.dumps(values))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    terraform = Terraform(folder, mirror)
    terraform.init()
    assert "0 to destroy" in terraform.run("plan", "-input=false", "-no-color").stdout

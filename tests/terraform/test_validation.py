"""`terraform test` of each module: which variables it refuses."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from terraform.hcl import ROOT
from terraform.rules import copy_rules
from terraform.tool import Terraform, need_terraform

if TYPE_CHECKING:
    from pathlib import Path


def runs_of(text: str) -> int:
    return len(re.findall(r'^run "', text, re.MULTILINE))


@pytest.mark.timeout(600)
def test_what_the_aws_module_refuses(mirror: Path | None, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "aws", tmp_path / "aws")
    terraform = Terraform(tmp_path / "aws", mirror)
    terraform.init()
    said = terraform.run("test", "-no-color").stdout
    runs = runs_of((ROOT / "aws/tests/validation.tftest.hcl").read_text())
    assert f"Success! {runs} passed, 0 failed." in said


@pytest.mark.parametrize("module", ["gcp", "azure"])
def test_what_the_others_refuse_of_what_needs_no_provider(module: str, tmp_path: Path) -> None:
    """Variables and rules need no provider; the rest of these modules does."""
    need_terraform()
    copy_rules(module, tmp_path)
    text = (ROOT / module / "tests/validation.tftest.hcl").read_text()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/validation.tftest.hcl").write_text(
        re.sub(r'^mock_provider ".*" \{\}$', "", text, flags=re.MULTILINE)
    )
    terraform = Terraform(tmp_path)
    terraform.init()
    assert (
        f"Success! {runs_of(text)} passed, 0 failed." in terraform.run("test", "-no-color").stdout
    )

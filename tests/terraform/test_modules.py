"""The modules as text: formatting, known arguments, version ranges, descriptions, READMEs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generators.terraform_readme import readme_of
from terraform.hcl import (
    EXAMPLES,
    MODULES,
    ROOT,
    literal,
    load,
    outputs_of,
    resources,
    variables_of,
)
from terraform.schema import faults
from terraform.tool import Terraform, need_terraform

FOLDERS = [*MODULES, *(f"examples/{name}" for name in EXAMPLES)]
SCHEMAS = {
    "aws": "aws",
    "gcp": "google",
    "azure": "azurerm",
    "examples/aws-lambda": "aws",
    "examples/aws-idempotency": "aws",
    "examples/gcp-function": "google",
    "examples/azure-function": "azurerm",
    "examples/aws-sweep": "aws",
    "examples/gcp-sweep": "google",
    "examples/azure-sweep": "azurerm",
}


def test_every_file_is_formatted() -> None:
    need_terraform()
    Terraform(ROOT).run("fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize(("folder", "provider"), SCHEMAS.items())
def test_every_argument_and_block_is_in_the_provider_s_schema(folder: str, provider: str) -> None:
    assert faults(ROOT / folder, provider) == []


@pytest.mark.parametrize(
    ("folder", "file", "old", "new", "said"),
    [
        ("aws", "lifecycle.tf", "noncurrent_days =", "noncurrent_day =", "no argument"),
        ("aws", "versioning.tf", "versioning_configuration {", "versioning {", "no block"),
        ("gcp", "bucket.tf", "days_since_custom_time ", "days_since_customtime ", "no argument"),
        ("gcp", "bucket.tf", "soft_delete_policy {", "soft_delete {", "no block soft_delete"),
        ("gcp", "bucket.tf", "  location      = var.location\n", "", "location is required"),
        ("azure", "lifecycle.tf", '"base_blob"', '"baseblob"', "no block baseblob"),
        ("azure", "lifecycle.tf", "delete_after_days_since_creation ", "delete_after ", "argument"),
        ("azure", "access.tf", "azurerm_role_assignment", "azurerm_role_grant", "no such resource"),
    ],
)
def test_a_misspelt_argument_is_found(
    folder: str, file: str, old: str, new: str, said: str, tmp_path: Path
) -> None:
    copy = tmp_path / folder
    shutil.copytree(ROOT / folder, copy)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    assert any(said in fault for fault in faults(copy, SCHEMAS[folder]))


@pytest.mark.parametrize("folder", FOLDERS)
def test_versions_are_ranges_with_an_end(folder: str) -> None:
    documents = [document for _, document in load(ROOT / folder)]
    (settings,) = [block for document in documents for block in document.get("terraform", [])]
    assert re.fullmatch(r">= [\d.]+, < [\d.]+", literal(settings["required_version"]))
    (providers,) = settings["required_providers"]
    for name, provider in providers.items():
        if name != "__is_block__":
            version = {literal(key): literal(value) for key, value in provider.items()}["version"]
            assert re.fullmatch(r">= [\d.]+, < [\d.]+", version)


@pytest.mark.parametrize("module", MODULES)
def test_no_module_sets_up_a_provider(module: str) -> None:
    assert not any("provider" in document for _, document in load(ROOT / module))


def test_the_examples_are_root_modules_that_set_up_what_their_providers_ask_for() -> None:
    """AWS's is configured by the environment; Azure's requires its features block.

    With the default of data_plane_available Azure's asks an account that it has created for its
    blobs, and fails if it may not (terraform-provider-azurerm, issue 26785).
    """
    set_up: dict[str, Any] = {}
    for example in EXAMPLES:
        for _, document in load(ROOT / "examples" / example):
            for block in document.get("provider", []):
                named = {literal(name): body for name, body in block.items()}
                set_up |= named
                if "azurerm" in named:
                    (features,) = named["azurerm"]["features"]
                    assert features["storage"][0]["data_plane_available"] is False
    assert set(set_up) == {"google", "azurerm"}
    assert set_up["google"]["project"] == "${var.project}"
    assert set_up["google"]["region"] == "${var.region}"
    assert set_up["azurerm"]["storage_use_azuread"] is True
    assert set_up["azurerm"]["subscription_id"] == "${var.subscription_id}"


@pytest.mark.parametrize("module", MODULES)
def test_every_variable_and_output_is_described_and_every_variable_typed(module: str) -> None:
    for name, variable in variables_of(ROOT / module):
        assert variable.get("type"), name
        assert len(literal(variable["description"])) > 10, name
    for name, output in outputs_of(ROOT / module):
        assert len(literal(output["description"])) > 10, name


@pytest.mark.parametrize("module", MODULES)
def test_the_readme_is_that_of_the_variables(module: str) -> None:
    written = (ROOT / module / "README.md").read_text()
    assert written == readme_of(module), (
        "run `python -m generators.terraform_readme` with tests/ on the path"
    )


def test_every_variable_is_used() -> None:
    for module in MODULES:
        text = "\n".join(path.read_text() for path in (ROOT / module).glob("*.tf"))
        for name, _ in variables_of(ROOT / module):
            assert re.search(rf"\bvar\.{name}\b", text), f"{module}: {name}"


# checkov pins other versions than the SDKs do, so it has an environment of its own.


def checkov() -> str:
    """The program that CHECKOV names, or the one on the path."""
    program = os.environ.get("CHECKOV") or shutil.which("checkov")
    if program is None:
        reason = (
            "checkov is not installed: install checkov==3.3.* in an environment of its own and set "
            "CHECKOV to its program"
        )
        if os.environ.get("CI") and shutil.which("terraform"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def test_checkov_has_no_failure_that_is_not_explained() -> None:
    done = subprocess.run(
        [
            *(checkov(), "--directory", str(ROOT), "--framework", "terraform"),
            *("--skip-download", "--compact", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    results = json.loads(done.stdout)["results"]
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    assert len(results["passed_checks"]) > 50
    for check in results["skipped_checks"]:
        assert len(check["check_result"]["suppress_comment"]) > 10, check["check_id"]
    # A skip that nothing would trigger is out of date.
    marks = sum(path.read_text().count("#checkov:skip=") for path in ROOT.rglob("*.tf"))
    distinct = {
        (check["check_id"], check["resource"].rpartition("module.")[2], check["file_path"])
        for check in results["skipped_checks"]
    }
    assert len({(i, f) for i, _, f in distinct}) == marks


# The examples' functions.


def test_google_s_function_is_built_by_an_account_that_may_build_it() -> None:
    """In a new project the default account may not."""
    made = {
        (kind, name): body for kind, name, body in resources(ROOT / "examples" / "gcp-function")
    }
    function = made["google_cloudfunctions2_function", "step"]
    (build,) = function["build_config"]
    assert build["service_account"] == "${google_service_account.build.id}"
    assert function["depends_on"] == [
        "${google_project_iam_member.build}",
        "${google_project_iam_member.build_reads}",
    ]
    grants = made["google_project_iam_member", "build"]
    for role in ("artifactregistry.writer", "logging.logWriter"):
        assert f"roles/{role}" in grants["for_each"]
    reads = made["google_project_iam_member", "build_reads"]
    assert "roles/storage.objectViewer" in reads["role"]
    (condition,) = reads["condition"]
    assert "!resource.name.startsWith" in condition["expression"]
    for grant in (grants, reads):
        assert "google_service_account.build.email" in grant["member"]


def test_the_examples_compile() -> None:
    sources = sorted(str(path) for path in (ROOT / "examples").glob("*/*.py"))
    commands = {"gcp-sweep", "azure-sweep"}  # which run the command line
    assert {Path(source).parent.name for source in sources} == set(EXAMPLES) - commands
    for source in sources:
        compile(Path(source).read_text(), source, "exec")
    assert sys.version_info >= (3, 11)

"""Fixtures of the Terraform tests."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.servers import Server
from support.servers.moto import missing
from support.servers.ports import HOST, serve
from terraform.hcl import ROOT
from terraform.made import Made
from terraform.tool import Terraform, need_aws_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terraform.policies import Documents

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where the AWS provider comes from; skips where it is not available."""
    return need_aws_provider(tmp_path_factory.mktemp("provider"))


@contextmanager
def moto() -> Iterator[Server]:
    """A moto that the AWS provider can work with."""
    if missing() is not None:
        pytest.skip(missing() or "")
    with serve(
        "moto",
        lambda port: [sys.executable, str(HERE / "moto_like_aws.py"), str(port)],
        env=lambda _port: {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
    ) as (port, pid):
        yield Server(
            name="moto",
            service="s3",
            url=f"http://{HOST}:{port}",
            access_key="test-access-key",
            secret_key="test-secret-key",
            pid=pid,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with moto() as running:
        yield running


@pytest.fixture(scope="module")
def made(server: Server, mirror: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("root")
    shutil.copy(HERE / "roots/aws/main.tf", folder)
    shutil.copytree(ROOT, folder / "modules")
    with zipfile.ZipFile(folder / "package.zip", "w") as package:
        package.write(ROOT / "examples/aws-lambda/handler.py", "handler.py")
    values = {"endpoint": server.url, "package": str(folder / "package.zip")}
    (folder / "terraform.tfvars.json").write_text(json.dumps(values))
    terraform = Terraform(folder, mirror)
    terraform.init()
    terraform.run("apply", "-auto-approve", "-input=false")
    return Made(terraform, server, **terraform.outputs())


@pytest.fixture(scope="session")
def documents(mirror: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """The policy documents of each module of ``roots/policies``, by module and name.

    Of several workers the first that needs them makes them, and the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # that of the workers' run
    found = shared / "policies.json"
    with (shared / "policies.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
        if not found.exists():
            made = documents_of(Terraform(tmp_path_factory.mktemp("policies"), mirror))
            found.write_text(json.dumps(made))
    read: Documents = json.loads(found.read_text())
    return read


def documents_of(terraform: Terraform) -> Documents:
    shutil.copy(HERE / "roots/policies/main.tf", terraform.folder)
    shutil.copytree(ROOT / "aws", terraform.folder / "modules/aws")
    terraform.init()
    wanted = {
        "plain": ("runtime", "read_only", "bucket"),
        "recorded": ("bucket", "tenant"),
        "tenants": ("runtime", "read_only", "bucket", "tenant"),
    }
    targets = [
        f"-target=module.{module}.data.aws_iam_policy_document.{name}"
        for module, names in wanted.items()
        for name in names
    ]
    with moto() as server:
        variables = json.dumps({"endpoint": server.url})
        (terraform.folder / "terraform.tfvars.json").write_text(variables)
        terraform.run("apply", "-auto-approve", "-input=false", *targets)
    # From the file: `terraform show` would start the provider once more.
    found: Documents = {module: {} for module in wanted}
    for resource in json.loads((terraform.folder / "terraform.tfstate").read_text())["resources"]:
        if resource["type"] == "aws_iam_policy_document":
            (document,) = resource["instances"]
            module = resource["module"].removeprefix("module.")
            found[module][resource["name"]] = document["attributes"]["json"]
    return found

"""Terraform and the AWS provider, as installed on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.environment import for_downloads

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 540


class Failed(AssertionError):
    """Terraform failed."""


class Terraform:
    """Terraform in one folder.

    Args:
        folder: A root module; Terraform writes into it.
        mirror: A folder with providers, instead of the registry.
    """

    def __init__(self, folder: Path, mirror: Path | None = None) -> None:
        self.folder = folder
        self._mirror = mirror

    def init(self) -> None:
        """Makes the folder ready: finds its modules and providers."""
        mirror = [] if self._mirror is None else [f"-plugin-dir={self._mirror}"]
        self.run("init", "-input=false", "-backend=false", *mirror)

    def run(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Runs a command.

        Args:
            arguments: The command and its arguments.
            ok: The exit codes that are no failure.

        Raises:
            Failed: It ended with another; the message has what it printed.
        """
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=environ(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode not in ok:
            raise Failed(f"terraform {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
        return done

    def outputs(self) -> dict[str, Any]:
        """The values of the root module's outputs."""
        outputs = json.loads(self.run("output", "-json").stdout)
        return {name: output["value"] for name, output in outputs.items()}


def environ() -> dict[str, str]:
    """The environment to run Terraform in."""
    found = {n: value for n, value in for_downloads().items() if not n.startswith("TF_VAR_")}
    config = found.get("TF_CLI_CONFIG_FILE")
    if config is not None and not Path(config).is_file():
        del found["TF_CLI_CONFIG_FILE"]  # Terraform warns on every run, and goes without it
    # Go collects garbage less often: a fifth of the processor that the provider's start takes.
    return found | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "GOGC": "400"}


def need_terraform() -> None:
    """Skips a test where there is no Terraform."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: install Terraform 1.9 or later")


def need_aws_provider(scratch: Path) -> Path | None:
    """Skips a test where the AWS provider is not available; in CI it fails.

    Args:
        scratch: An empty folder to try in.

    Returns:
        The mirror to take it from; None if Terraform finds it itself.
    """
    need_terraform()
    (scratch / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = {\n      source  = "hashicorp/aws"\n'
        '      version = ">= 5.83.0, < 7.0.0"\n    }\n  }\n}\n'
    )
    said = ""
    for mirror in (*_mirrors(), None):
        try:
            Terraform(scratch, mirror).init()
        except Failed as error:
            said = str(error)
        else:
            return mirror
    reason = (
        "the hashicorp/aws provider is not available: let `terraform init` reach the registry, or "
        f"put it into a filesystem mirror (terraform providers mirror)\n{said}"
    )
    if os.environ.get("CI"):
        pytest.fail(f"in CI a missing provider is a failure: {reason}")
    pytest.skip(reason)


def _mirrors() -> Iterator[Path]:
    """Filesystem mirrors where machines without a network usually keep them."""
    places = [Path.home() / ".terraform.d/plugins", Path("/usr/share/terraform/plugins")]
    places += [Path("/usr/local/share/terraform/plugins"), *Path("/opt").glob("*")]
    for place in places:
        if any(place.glob("registry.terraform.io/hashicorp/aws/*")):
            yield place

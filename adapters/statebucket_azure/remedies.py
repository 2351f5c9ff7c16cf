"""How users of Azure fix the problems that a store may meet."""

from __future__ import annotations

from statebucket.port.remedies import Remedies, Remedy, TerraformLine

MODULE = "terraform/azure"
"""The Terraform module for Azure."""


def terraform(line: str = "", *, command: str = "") -> Remedy:
    """A line of Terraform; without one, the module itself. Or a command that does the same."""
    return Remedy(terraform=TerraformLine(MODULE, line), command=command)


RUNTIME = terraform("runtime_principal_ids = { function = … }")

REMEDIES = Remedies(
    credentials=Remedy(advice="log in, or set AZURE_STORAGE_CONNECTION_STRING", command="az login"),
    rights=RUNTIME,
    tenant_rights=terraform("tenant_principal_ids = { … = { function = … } }"),
    bucket=Remedy(
        advice="check the names of account and container, or create the container",
        terraform=TerraformLine(MODULE, ""),
    ),
    settings=terraform("reader_principal_ids = { operator = … }"),
)

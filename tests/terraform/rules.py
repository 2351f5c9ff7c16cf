"""A module's lifecycle rules, computed by Terraform without any provider."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from statebucket.lifecycle.offboarding import offboarding_rule
from statebucket.lifecycle.rules import needed_rules
from statebucket.port.lifecycle import TERRAFORM_ID
from statebucket.store.layout import Layout
from statebucket_azure import lifecycle as azure
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3
from support.rules import scope
from terraform.hcl import ROOT
from terraform.tool import Terraform

if TYPE_CHECKING:
    from pathlib import Path

    from statebucket.port.lifecycle import Removal

REMOVAL: dict[str, Removal] = {
    "aws": s3.REMOVAL,
    "gcp": gcs.REMOVAL,
    "azure": azure.REMOVAL,
}

# What the variables that have no default may be; the rules do not depend on them.
_REQUIRED = {
    "aws": {"bucket_name": "bucket"},
    "gcp": {"bucket_name": "bucket", "location": "EU"},
    "azure": {"resource_group_name": "group", "location": "eu", "account_name": "account"},
}


def copy_rules(module: str, folder: Path) -> None:
    """Copies the part of a module that needs no provider."""
    for name in ("variables.tf", "rules.tf", "labels.tf", "conditions.tf", "grants.tf"):
        if (ROOT / module / name).exists():
            shutil.copy(ROOT / module / name, folder)


def computed(
    module: str, folder: Path, *, what: str = "local.state_rules", **variables: Any
) -> list[dict[str, Any]]:
    """The rules that a module makes of its variables.

    Args:
        module: Its name.
        folder: Where its variables and rules were copied to.
        what: Which rules; by default those for state.
        variables: What to set.
    """
    (folder / "outputs.tf").write_text(f'output "rules" {{\n  value = {what}\n}}\n')
    values = _REQUIRED[module] | variables
    (folder / "terraform.tfvars.json").write_text(json.dumps(values))
    terraform = Terraform(folder)
    terraform.run("apply", "-auto-approve", "-input=false")
    return [
        {name: value for name, value in rule.items() if value is not None and value != {}}
        for rule in terraform.outputs()["rules"]
    ]


def expected(module: str, prefix: str, *, owner_index: bool) -> list[dict[str, Any]]:
    """The rules that statebucket needs, as the module should make them."""
    where = scope(prefix, REMOVAL[module], owner_index=owner_index)
    rules = needed_rules(where, id_start=TERRAFORM_ID)
    return [_as_module(module, rule) for rule in rules]


def expected_offboarding(module: str, prefix: str, tenant: str) -> dict[str, Any]:
    """The rule that removes a tenant, as the module should make it."""
    where = scope(prefix, REMOVAL[module])
    return _as_module(module, offboarding_rule(where, Layout(prefix).tenant(tenant), None))


def _as_module(module: str, rule: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": rule.id,
        "enabled": True,
        "prefixes": list(rule.prefixes),
        "tags": rule.tags,
        "expiration_days": rule.expiration_days,
        "custom_time_days": rule.custom_time_days,
        "expired_delete_markers": rule.expired_delete_markers,
        "noncurrent_days": rule.noncurrent_days,
        "abort_uploads_days": rule.abort_uploads_days,
    }
    if module != "aws":
        del plain["expired_delete_markers"]
    if module == "gcp":
        del plain["id"], plain["enabled"]
    if module == "azure":
        plain["id"] = rule.id.replace("-", "")
        plain["prefixes"] = [f"statebucket/{prefix}" for prefix in rule.prefixes]
    return {name: value for name, value in plain.items() if value is not None and value != {}}

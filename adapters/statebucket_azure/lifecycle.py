"""The lifecycle rules that a container needs, in the form of Azure's management plane.

They belong to the storage account, and the blobs' API does not show them. So they are neither read
nor written here: these are the rules to compare them with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from statebucket.port.expiry import TAG
from statebucket.port.lifecycle import Removal, UnreadableRules
from statebucket.port.remedies import Remedy
from statebucket_azure.remedies import terraform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.lifecycle import Rule

# Azure removes uncommitted blocks after a week.
REMOVAL = Removal(tag=TAG, abort_uploads=False)
"""What removes expired blobs that are tagged: rules by blob index tag."""


def policy(rules: Sequence[Rule]) -> dict[str, Any]:
    """A management policy with these rules, as ``az storage account management-policy`` takes it.

    It refuses one within ``policy``, as the same command shows it:
    https://github.com/Azure/azure-cli/issues/22744.

    Args:
        rules: The rules, by blob index tag; their prefixes begin with the container.
    """
    return {"rules": [_raw(rule) for rule in rules]}


def _raw(rule: Rule) -> dict[str, Any]:
    filters: dict[str, Any] = {"blobTypes": ["blockBlob"], "prefixMatch": list(rule.prefixes)}
    if rule.tags:
        filters["blobIndexMatch"] = [
            {"name": name, "op": "==", "value": value} for name, value in rule.tags.items()
        ]
    actions: dict[str, Any] = {}
    if rule.expiration_days is not None:
        after = {"daysAfterModificationGreaterThan": rule.expiration_days}
        actions["baseBlob"] = {"delete": after}
    if rule.noncurrent_days is not None:
        actions["version"] = {"delete": {"daysAfterCreationGreaterThan": rule.noncurrent_days}}
    return {
        "enabled": rule.enabled,
        "name": re.sub("[^A-Za-z0-9]", "", rule.id),  # the service takes no others
        "type": "Lifecycle",
        "definition": {"filters": filters, "actions": actions},
    }


UNREADABLE = UnreadableRules(
    reason="the rules belong to the storage account and cannot be seen through the blobs' own API",
    remedy=Remedy(
        advice="compare them with those listed here, or let the Terraform module keep them",
        command="statebucket lifecycle show",
        terraform=terraform().terraform,
    ),
    policy=policy,
)

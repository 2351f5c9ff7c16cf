"""Versions as the SDK's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions

from statebucket_azure.versions import if_match

if TYPE_CHECKING:
    from statebucket.contract.versions import Version


def matching(version: Version | None) -> dict[str, Any]:
    """The SDK's arguments for a request on one version only.

    Raises:
        PreconditionFailed: The version is not an ETag, so no blob has it.
    """
    if version is None:
        return {}
    return {"etag": if_match(version), "match_condition": MatchConditions.IfNotModified}

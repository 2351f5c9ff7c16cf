"""Azure Blob inventory: the manifests that Azure writes, and the columns of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import InvalidReport, excerpt, shown
from statebucket.port.bucket import ObjectInfo
from statebucket.port.dates import from_iso
from statebucket.port.inventory_reports import (
    REPORTED,
    InventoryReport,
    ReportFile,
    folded,
    manifest_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.inventory_reports import Row

_CONFIGURED = "the schemaFields of the account's inventory rule"


class _File(msgspec.Struct):
    blob: str
    size: int | None = None


class _Filters(msgspec.Struct, rename="camel"):
    blob_types: list[str] | None = None
    prefix_match: list[str] = []
    exclude_prefix: list[str] = []
    creation_time: object = None
    include_blob_versions: bool | None = None
    include_snapshots: bool | None = None
    include_deleted: bool | None = None


class _Rule(msgspec.Struct, rename="camel"):
    format: str
    schema_fields: list[str]
    object_type: str = "blob"
    filters: _Filters = msgspec.field(default_factory=_Filters)


class _Manifest(msgspec.Struct, rename="camel"):
    status: str
    rule_definition: _Rule
    inventory_start_time: str
    files: list[_File] = []
    endpoint: str = ""


def read(
    account: str | None, container: str, manifest: bytes, areas: Sequence[str]
) -> InventoryReport:
    """Reads a ``RULE-manifest.json`` of Azure Blob inventory.

    By https://learn.microsoft.com/azure/storage/blobs/blob-inventory, the manifest contains the
    rule, and ``VersionId`` and ``IsCurrentVersion`` are required fields of a rule that includes
    versions, as ``Snapshot`` is of one that includes snapshots. The page does not say what
    ``IsCurrentVersion`` is for an older version. A listing sets it on the current version only, so
    a row with a version id and an empty ``IsCurrentVersion`` counts as an older version.

    Args:
        account: The store's account, if known.
        container: The store's container.
        manifest: Its bytes.
        areas: The prefixes in the container that the report must not leave out.

    Raises:
        InvalidReport: It is not a report, is of another account, is not finished, or is incomplete.
    """
    found = manifest_of(manifest, _Manifest, "Azure Blob inventory")
    rule = found.rule_definition
    if found.status.lower() != "succeeded":
        raise InvalidReport(
            f"the run of the inventory rule is {excerpt(found.status)!r} instead of 'Succeeded': "
            "take the manifest of another run"
        )
    theirs = found.endpoint.rpartition("://")[2].partition(".")[0].lower()
    if account and theirs and theirs != account:
        raise InvalidReport(
            f"the inventory report is of account {shown(theirs)}, the store's is {account!r}"
        )
    _check_rule(rule, [f"{container}/{area}" for area in areas])
    taken_at = from_iso(found.inventory_start_time)
    if taken_at is None:
        raise InvalidReport(
            f"the manifest's inventoryStartTime is no moment: {shown(found.inventory_start_time)}"
        )
    within = f"{container}/"
    has_metadata = _has_metadata(rule)

    def entry(row: Row) -> ObjectInfo | None:
        name = row.text("name")
        if not name.startswith(within):
            return None  # an account's report has all of its containers
        if (
            row.value("snapshot") is not None
            or not row.flag("iscurrentversion", default=row.value("versionid") is None)
            or row.flag("deleted", default=False)
            or row.flag("hdiisfolder", default=False)
        ):
            return None
        metadata = _metadata(row) if has_metadata else {}
        if metadata.get("hdi_isfolder") == "true":
            return None  # as in a listing
        return ObjectInfo(
            name[len(within) :],
            REPORTED,
            row.number("contentlength"),
            metadata,
            row.moment("lastmodified"),
        )

    return InventoryReport(
        taken_at=taken_at,
        files=tuple(ReportFile(one.blob, one.size) for one in found.files),
        form="csv" if rule.format.lower() == "csv" else "parquet",
        needed=("Name", "Content-Length", *_needed(rule)),
        more=(
            "Last-Modified",
            "Snapshot",
            "VersionId",
            "IsCurrentVersion",
            "Deleted",
            "hdi_isfolder",
        ),
        paired=(("VersionId", "IsCurrentVersion"),),
        configured=_CONFIGURED,
        entry=entry,
        lists_metadata=has_metadata,
    )


def _needed(rule: _Rule) -> list[str]:
    """The columns that distinguish blobs from other entries, and Metadata if the rule has it."""
    filters = rule.filters
    return [
        *(["VersionId", "IsCurrentVersion"] if filters.include_blob_versions else []),
        *(["Snapshot"] if filters.include_snapshots else []),
        *(["Deleted"] if filters.include_deleted else []),
        *(["Metadata"] if _has_metadata(rule) else []),
    ]


def _has_metadata(rule: _Rule) -> bool:
    return any(folded(one) == "metadata" for one in rule.schema_fields)


def _check_rule(rule: _Rule, areas: Sequence[str]) -> None:
    """Checks that a rule's reports have all of the store's objects.

    Raises:
        InvalidReport: They do not.
    """
    filters = rule.filters
    kinds = [kind.lower() for kind in filters.blob_types or ["blockblob"]]
    if rule.object_type.lower() != "blob":
        raise InvalidReport("the inventory report is of containers: take one of blobs")
    if rule.format.lower() not in {"csv", "parquet"}:
        raise InvalidReport(f"an inventory report in {excerpt(rule.format)} is not read")
    if "blockblob" not in kinds or filters.creation_time is not None:
        raise InvalidReport(
            "the inventory rule leaves blobs of the store out: its filters must have blockBlob "
            "among blobTypes, and no creationTime"
        )
    for area in areas:
        if filters.prefix_match and not area.startswith(tuple(filters.prefix_match)):
            raise InvalidReport(
                f"the inventory rule leaves {area!r} out: its prefixMatch is "
                f"{shown(filters.prefix_match)}"
            )
        for one in filters.exclude_prefix:
            if one and (area.startswith(one) or one.startswith(area)):
                raise InvalidReport(
                    f"the inventory rule leaves {area!r} out: its excludePrefix has {shown(one)}"
                )


def _metadata(row: Row) -> dict[str, str]:
    """A blob's metadata, which a report has as JSON; empty where the blob has none.

    Microsoft's page does not document the format. A public reader of these reports,
    https://github.com/massimobonanni/StorageContentPlatform, decodes a JSON object from CSV. For
    Parquet, the same or a map is assumed.

    Raises:
        ValueError: It is something else.
    """
    found = row.value("metadata")
    if found is None or (isinstance(found, str) and found.strip() in {"", "null"}):
        return {}
    try:
        pairs = (
            msgspec.json.decode(found, type=dict[str, str])
            if isinstance(found, str | bytes)
            else msgspec.convert(dict(found), dict[str, str])  # type: ignore[call-overload]
        )
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ValueError(
            f"column 'Metadata' is no object of JSON: {shown(found)}; leave Metadata out of "
            f"{_CONFIGURED}, and each blob is looked at instead"
        ) from error
    return {name.lower(): value for name, value in pairs.items()}

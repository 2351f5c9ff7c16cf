"""What Cloud Storage's own API says about a bucket and the caller, for ``statebucket doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from statebucket.port.clock import clock_finding
from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy
from statebucket_gcs.errors import error_of
from statebucket_gcs.remedies import READER, REMEDIES, terraform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from statebucket_gcs.answer import Answer
    from statebucket_gcs.sender import Sender

_NEEDED = tuple(f"storage.objects.{right}" for right in ("create", "delete", "get", "list"))
_EXCESS = {
    "storage.buckets.delete": "delete the bucket",
    "storage.buckets.update": "change the bucket's settings and rules",
    "storage.buckets.setIamPolicy": "change who may do what in the bucket",
    "storage.buckets.getIamPolicy": "read who may do what in the bucket",
    "storage.objects.setIamPolicy": "change who may do what with an object",
}
_FIELDS = (
    "location,locationType,storageClass,versioning,softDeletePolicy,retentionPolicy,"
    "defaultEventBasedHold,iamConfiguration,hierarchicalNamespace"
)
_DAY = 86_400
_OK = 200
_UNSEEN_STATUSES = frozenset({401, 403})
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError)  # for JSON with other types in it
_UNSEEN = Finding(
    check="versions",
    status="unknown",
    message="versioning, soft delete, retention, location and public access are not to be seen: "
    "that takes storage.buckets.get",
    remedy=READER,
)
# https://cloud.google.com/storage/docs/objects#naming for the lengths. That folders stay:
# https://github.com/GoogleCloudPlatform/python-docs-samples/pull/13497
_FOLDERS = Finding(
    check="place",
    status="warning",
    message="hierarchical namespace: a folder for each execution stays when its objects are "
    "removed, and a name may have 512 bytes up to its last slash and 512 after it, not 1,024 in "
    "all",
    remedy=Remedy(advice="use a bucket without it: it cannot be turned off"),
)


async def examine(sender: Sender, path: str, bucket: str, *, whole: bool) -> Sequence[Finding]:
    """Checks identity, rights, versioning, access, location and clock: 2 requests.

    Args:
        sender: What sends requests.
        path: The bucket's path in the JSON API.
        bucket: The bucket's name.
        whole: Whether the bucket has only the store's objects.

    Raises:
        StateBucketError: There was no answer.
    """
    permissions = urlencode({"permissions": [*_NEEDED, *_EXCESS]}, doseq=True)
    rights = await sender.send("GET", f"{path}/iam/testPermissions", query=permissions)
    answer = await sender.send("GET", path, query=urlencode({"fields": _FIELDS}))
    found = [await sender.identity()]
    try:
        found += list(_rights(rights, whole=whole))
    except _MALFORMED:
        message = "rights unknown: testIamPermissions returned an unexpected response format"
        found.append(Finding(check="rights", status="unknown", message=message))
    if answer.status == _OK and (described := _read(answer)) is not None:
        try:
            found += list(_described(described, f"gcloud storage buckets update gs://{bucket}"))
        except _MALFORMED:
            message = "the bucket's settings are unknown: unexpected response format"
            found.append(Finding(check="versions", status="unknown", message=message))
    elif answer.status in _UNSEEN_STATUSES:
        found.append(_UNSEEN)
    else:
        message = f"the bucket is not described: {error_of(answer, bucket)}"
        found.append(Finding(check="versions", status="unknown", message=message))
    return [*found, clock_finding(answer.headers.get("date"))]


def _read(answer: Answer) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _rights(answer: Answer, *, whole: bool) -> Iterator[Finding]:
    """The rights granted on the bucket itself, without those that have a condition on names."""
    told = _read(answer) if answer.status == _OK else None
    if told is None:
        yield Finding(
            check="rights",
            status="unknown",
            message=f"rights unknown: testIamPermissions answered {answer.status}",
        )
        return
    granted = set(told.get("permissions", ()))
    missing = [right for right in _NEEDED if right not in granted]
    if missing:
        yield Finding(
            check="rights",
            status="note",
            message=f"not granted on the whole bucket: {', '.join(missing)}; a grant below "
            "prefixes only, as the module's, does not show here",
            remedy=Remedy(command="statebucket doctor --write"),
        )
    else:
        yield Finding(
            check="rights",
            status="ok" if whole else "warning",
            message="it may create, delete, get and list objects, in the whole bucket",
            remedy=None if whole else REMEDIES.rights,
        )
    for right, means in _EXCESS.items():
        if right in granted:
            yield Finding(
                check="rights",
                status="warning",
                message=f"not needed: {right}: it can {means}",
                remedy=REMEDIES.rights,
            )


def _described(bucket: Mapping[str, Any], update: str) -> Iterator[Finding]:
    yield _versions(bucket, update)
    yield _soft_delete(bucket, update)
    yield from _kept(bucket, update)
    yield from _place(bucket, update)
    yield from _access(bucket.get("iamConfiguration", {}), update)


def _versions(bucket: Mapping[str, Any], update: str) -> Finding:
    if not bucket.get("versioning", {}).get("enabled", False):
        return Finding(
            check="versions", status="ok", message="versioning is off: a save costs one object"
        )
    return Finding(
        check="versions",
        status="note",
        message="versioning is enabled: every save is kept, and billed, until a rule removes "
        "noncurrent versions",
        remedy=terraform(
            "versioning = false, or a small noncurrent_days", command=f"{update} --no-versioning"
        ),
    )


def _soft_delete(bucket: Mapping[str, Any], update: str) -> Finding:
    seconds = int(bucket.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0))
    if not seconds:
        return Finding(check="versions", status="ok", message="soft delete is off")
    return Finding(
        check="versions",
        status="note",
        message=f"soft delete keeps what was replaced or deleted, every save of a snapshot "
        f"included, for {_days(seconds)}, and bills it",
        remedy=terraform("soft_delete_days = 0", command=f"{update} --clear-soft-delete"),
    )


def _kept(bucket: Mapping[str, Any], update: str) -> Iterator[Finding]:
    """What keeps an object from being replaced, so that the second save fails."""
    policy = bucket.get("retentionPolicy", {})
    if seconds := int(policy.get("retentionPeriod", 0)):
        locked = policy.get("isLocked", False)
        yield Finding(
            check="retention",
            status="fault",
            message=f"the retention policy refuses each save and removal of what is younger than "
            f"{_days(seconds)}",
            remedy=Remedy(advice="use another bucket: the policy is locked and stays")
            if locked
            else Remedy(command=f"{update} --clear-retention-period"),
        )
    if bucket.get("defaultEventBasedHold"):
        yield Finding(
            check="retention",
            status="fault",
            message="new objects are put on hold, so that none can be replaced or removed",
            remedy=Remedy(command=f"{update} --no-default-event-based-hold"),
        )


def _place(bucket: Mapping[str, Any], update: str) -> Iterator[Finding]:
    kind = bucket.get("storageClass", "STANDARD")
    where = f"{bucket.get('location', '?')} ({bucket.get('locationType', 'region')})"
    if kind in {"NEARLINE", "COLDLINE", "ARCHIVE"}:
        yield Finding(
            check="place",
            status="warning",
            message=f"{where}, {kind}: each save is billed for a minimum of 30 days or more, each "
            "load for retrieval",
            remedy=Remedy(command=f"{update} --default-storage-class=STANDARD"),
        )
    else:
        yield Finding(check="place", status="ok", message=f"{where}, {kind}")
    if bucket.get("hierarchicalNamespace", {}).get("enabled", False):
        yield _FOLDERS


def _access(iam: Mapping[str, Any], update: str) -> Iterator[Finding]:
    uniform = iam.get("uniformBucketLevelAccess", {}).get("enabled", False)
    prevented = iam.get("publicAccessPrevention") == "enforced"
    if uniform and prevented:
        yield Finding(check="public", status="ok", message="public access is prevented; no ACLs")
        return
    if not uniform:
        yield Finding(
            check="public",
            status="warning",
            message="access is not uniform: an object's ACL may open it to others, and conditions "
            "on names cannot be used",
            remedy=terraform(command=f"{update} --uniform-bucket-level-access"),
        )
    if not prevented:
        yield Finding(
            check="public",
            status="warning",
            message="the bucket itself does not prevent public access",
            remedy=terraform(command=f"{update} --public-access-prevention"),
        )


def _days(seconds: int) -> str:
    return "a day" if seconds == _DAY else f"{seconds / _DAY:g} days"

"""What S3's reply to a batch delete reports for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import StateBucketError, Unavailable
from statebucket.port.bucket import Deletion
from statebucket_s3.codes import of_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def deletions_of(
    errors: Iterable[Mapping[str, str]],
    deleted: Iterable[Mapping[str, str]],
    names: Sequence[str],
) -> list[Deletion]:
    """The result for each object; the reply names failures, and from some services successes too.

    An entry for an object that was not in the request may belong to any object that was. Then all
    objects without an error of their own have an unknown outcome.

    Args:
        errors: The reply's failures, with ``Key``, ``Code`` and ``Message``.
        deleted: The reply's successes, with ``Key``.
        names: The objects of the batch.
    """
    requested = frozenset(names)
    failed: dict[str, StateBucketError] = {}
    stray = any(entry.get("Key") not in requested for entry in deleted)
    for entry in errors:
        key, code = entry.get("Key"), entry.get("Code", "")
        if code == "NoSuchKey":
            continue
        if key in requested:
            failed[key] = of_code(code, entry.get("Message", ""))
        else:
            stray = True
    if stray:
        for name in requested - failed.keys():
            failed[name] = Unavailable(
                "S3's reply to a batch delete names an object that was not in the request",
                outcome="unknown",
            )
    return [Deletion(name, None, failed.get(name)) for name in names]

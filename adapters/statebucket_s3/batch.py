"""What S3's reply to a batch delete says of each object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import StateBucketError, Unavailable
from statebucket.port.bucket import Deletion
from statebucket_s3.codes import of_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def deletions_of(errors: Iterable[Mapping[str, str]], names: Sequence[str]) -> list[Deletion]:
    """What became of each object; the reply names failures only.

    An error about none of the objects is about one of them all the same, nobody knows which: all
    that have no error of their own are then left open.

    Args:
        errors: The reply's entries, with ``Key``, ``Code`` and ``Message``.
        names: The objects of the batch.
    """
    asked = frozenset(names)
    failed: dict[str, StateBucketError] = {}
    stray = False
    for entry in errors:
        key, code = entry.get("Key"), entry.get("Code", "")
        if code == "NoSuchKey":
            continue
        if key in asked:
            failed[key] = of_code(code, entry.get("Message", ""))
        else:
            stray = True
    if stray:
        for name in asked - failed.keys():
            failed[name] = Unavailable(
                "S3 answered an error about an object that it does not name", outcome="unknown"
            )
    return [Deletion(name, None, failed.get(name)) for name in names]

"""A small evaluator of grants on a Cloud Storage bucket, for the module's grants.

Google's documentation leaves two questions open, and no local server evaluates conditions. So each
possible answer is a cloud of its own to evaluate the grants in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

OBJECT = "storage.googleapis.com/Object"
BUCKET = "storage.googleapis.com/Bucket"

# What the roles that the module grants permit, as far as a store and its tests ask for it.
_READ = {"storage.objects.get", "storage.objects.list"}
ROLES = {
    "roles/storage.objectUser": {*_READ, "storage.objects.create", "storage.objects.delete"},
    "roles/storage.objectViewer": _READ,
    "roles/storage.legacyBucketReader": {"storage.objects.list", "storage.buckets.get"},
    "roles/storage.bucketViewer": {"storage.buckets.get"},
}

_TEST = re.compile(
    r"(?P<what>resource\.name|resource\.type"
    r'|api\.getAttribute\("storage\.googleapis\.com/objectListPrefix", ""\))'
    r'(?:\.startsWith\("(?P<start>[^"]*)"\)| == "(?P<equal>[^"]*)")'
)


class Cloud(NamedTuple):
    """One reading of what Cloud Storage does.

    Attributes:
        bucket: The bucket's name.
        has_list_prefix: Whether a condition sees the prefix that a listing requests.
        asks_on_bucket: Whether the right to list, which decides between 404 and 403 for a missing
            object, is asked for on the bucket; else on the object.
    """

    bucket: str
    has_list_prefix: bool
    asks_on_bucket: bool

    def may(self, grants: Sequence[dict[str, Any]], permission: str, name: str) -> bool:
        """Whether grants permit an action on an object."""
        return self._permitted(grants, permission, name, "")

    def may_list(self, grants: Sequence[dict[str, Any]], prefix: str) -> bool:
        """Whether grants permit a listing of a prefix."""
        seen = prefix if self.has_list_prefix else ""
        return self._permitted(grants, "storage.objects.list", None, seen)

    def finds_nothing(self, grants: Sequence[dict[str, Any]], name: str) -> bool:
        """Whether a GET of a missing object is answered with 404; else with 403."""
        where = None if self.asks_on_bucket else name
        may_list = self._permitted(grants, "storage.objects.list", where, "")
        return may_list and self.may(grants, "storage.objects.get", name)

    def _permitted(
        self, grants: Sequence[dict[str, Any]], permission: str, name: str | None, prefix: str
    ) -> bool:
        path = f"projects/_/buckets/{self.bucket}"
        seen = {
            "resource.type": BUCKET if name is None else OBJECT,
            "resource.name": path if name is None else f"{path}/objects/{name}",
        }
        return any(
            permission in ROLES[grant["role"]]
            and ("limit" not in grant or _holds(grant["limit"]["expression"], seen, prefix))
            for grant in grants
        )


def _holds(expression: str, seen: dict[str, str], prefix: str) -> bool:
    return any(
        all(_is(test, seen, prefix) for test in term.split(" && "))
        for term in expression.split(" || ")
    )


def _is(test: str, seen: dict[str, str], prefix: str) -> bool:
    match = _TEST.fullmatch(test)
    assert match is not None, test
    value = seen.get(match["what"], prefix)
    if match["start"] is not None:
        return value.startswith(match["start"])
    return value == match["equal"]

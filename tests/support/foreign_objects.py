"""Objects of another program, next to those of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.port.bucket import Object

if TYPE_CHECKING:
    from support.scripted_bucket import ScriptedBucket

FOREIGN = [
    "p/tenants/acme/",
    "p/tenants/acme/report.csv",
    "p/tenants/acme/keys/a/b",
    "p/tenants/acme/executions/e1/",
    "p/tenants/acme/executions/e1/x/y",
    "p/tenants/acme/snapshots/e1.bak~",
    "p/tenants/acme/reports/statebucket-doctor-0badf00d",
]


def place_beside(bucket: ScriptedBucket, some: Object) -> None:
    """Puts objects of another program next to those of the store."""
    for name in FOREIGN:
        bucket.inner._objects[name] = Object(msgspec.structs.replace(some.info, name=name), b"")
    bucket.inner._names = sorted(bucket.inner._objects)

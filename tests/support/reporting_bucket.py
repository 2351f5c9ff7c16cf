"""An in-memory adapter whose service writes inventory reports in S3's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from statebucket.port.bucket import BYTES, Limits, Object, Write
from statebucket_s3.reports import read
from support.scripted_bucket import ScriptedBucket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.inventory_reports import InventoryReport
    from support.inventory_writer import Written

BUCKET = "b"


class ReportingBucket(ScriptedBucket):
    """See `support.scripted_bucket`; reports lie in buckets beside it.

    Attributes:
        rows: How many rows a manifest says that there are, as Cloud Storage's do.
    """

    name = "reporting"
    report_scheme = "scripted"

    def __init__(self) -> None:
        super().__init__(limits=Limits(lists_metadata=False))
        self.others: dict[str, ReportingBucket] = {}
        self.closed = 0
        self.rows: int | None = None

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        async def send() -> Object | None:
            found = await self.inner.get(name)
            if found is None:
                return None
            return Object(found.info, found.body[start : start + length])

        part: Object | None = await self._take("get_range", (name, start), send)
        return part

    def beside(self, bucket: str) -> ReportingBucket:
        return self.others.setdefault(bucket, ReportingBucket())

    def read_report(
        self,
        name: str,  # noqa: ARG002
        manifest: bytes,
        areas: Sequence[str],  # noqa: ARG002
    ) -> InventoryReport:
        return structs.replace(read(BUCKET, manifest), rows=self.rows)

    async def close(self) -> None:
        self.closed += 1
        await super().close()

    async def keep(self, written: Written) -> str:
        """Stores a report in another bucket, and returns its address."""
        for name, body in written.objects.items():
            write = Write(name, body, BYTES, {}, None)
            await self.beside("inventories").inner.put(write, None)
        return f"scripted://inventories/{written.manifest}"

"""What an inventory report says of a store: the names to look at, without a listing."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Self

from statebucket.contract.partition import Partition
from statebucket.errors import InvalidArgument, InvalidReport, shown
from statebucket.port.waiting import here
from statebucket.store.report_files import files_at, reporting
from statebucket.store.report_rows import ReportRows
from statebucket.store.rows_read import PartRows, note

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from datetime import datetime

    from statebucket.port.bucket import ObjectInfo
    from statebucket.port.inventory_reports import InventoryReport
    from statebucket.store.context import StoreContext
    from statebucket.store.report_files import ReportFiles
    from statebucket.store.rows_read import RowsRead


class Reported:
    """A report of a store, open.

    Args:
        files: Where its files are.
        report: Its manifest, read.
        rows_read: See `StoreContext.rows_read`.

    Attributes:
        taken_at: When the service began to look at the bucket.
        lists_metadata: Whether the report has the objects' metadata.
        number: How many files there are.
    """

    def __init__(
        self,
        files: ReportFiles,
        report: InventoryReport,
        rows_read: RowsRead,
    ) -> None:
        self._files = files
        self._report = report
        self._rows_read = rows_read
        self.taken_at: datetime = report.taken_at
        self.lists_metadata = report.lists_metadata
        self.number = len(report.files)

    @classmethod
    async def open(cls, context: StoreContext, operation: str, address: str) -> Self:
        """Reads a report's manifest: 2 requests, or none if it is on this machine.

        Each 4 MiB after the first takes 1 more, and so does the adapter's `verify`.

        Args:
            context: The store's.
            operation: The public call.
            address: Where the manifest is.

        Raises:
            InvalidArgument: It is no address of one, or the store's service writes none.
            InvalidReport: There is no such report, or it is not about this store.
        """
        port = reporting(context)
        files = files_at(context, operation, address)
        try:
            name = files.manifest_name
            report = port.read_report(name, await files.manifest(), context.layout.areas)
            _check_files(report, name)
            if report.verify is not None:
                await context.objects.send(context.call(operation), report.verify, name)
            return cls(files, report, context.rows_read)
        except BaseException:
            await files.close()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._files.close()

    async def pages(
        self, partition: Partition, folders: Sequence[str], *, last: str | None = None
    ) -> AsyncGenerator[list[ObjectInfo], None]:
        """The store's objects by the files of a part, in no order, up to 1,000 at a time.

        Args:
            partition: The part.
            folders: What the names of objects begin with that are wanted.
            last: The one of them whose objects come behind the others of their file, if it is.

        Raises:
            InvalidReport: A file is missing, altered or cannot be read, or the store has read all
                parts, and their number of rows differs from the manifest's.
        """
        first = tuple(folder for folder in folders if folder != last)
        if last not in folders:
            last = None
        rows = 0
        for file in self._report.files[partition.index :: partition.count]:
            async with self._files.opened(file) as opened:
                read = ReportRows(self._report, file, opened)
                late = False
                for page in read.pages():
                    late = late or (last is not None and bool(_within(page, last)))
                    yield _within(page, first)
                    await here().sleep(0)  # to read takes long, and others wait for their replies
                rows += read.read
                if late and last is not None:
                    for page in read.pages():
                        yield _within(page, last)
                        await here().sleep(0)
        if self._report.rows is not None:
            note(self._rows_read, partition, PartRows(rows, self._report.rows))


def _check_files(report: InventoryReport, name: str) -> None:
    """Checks that a manifest names each file once; else its rows would count twice.

    Raises:
        InvalidReport: It names one twice.
    """
    number = Counter(file.name for file in report.files)
    twice = [file for file, times in number.items() if times > 1]
    if twice:
        raise InvalidReport(
            f"the manifest names a file of the report twice: {shown(twice[0])}", object_name=name
        )


@contextlib.asynccontextmanager
async def opened_part(
    context: StoreContext, operation: str, report: str | None, partition: Partition | None
) -> AsyncIterator[tuple[Reported, Partition]]:
    """The report that a call reads, and its part of that.

    Args:
        context: The store's.
        operation: The public call.
        report: The report's address; None if the partition has it.
        partition: The part; None for all of the report.

    Raises:
        InvalidArgument: The part is of another report, or of a listing.
        InvalidReport: There is no such report, or it is not about this store.
    """
    address = report
    if partition is not None:
        if report not in {None, partition.report}:
            raise InvalidArgument(
                "with report= a partition must be one of store.partitions(n, report=…) of the same "
                f"report: {shown(partition.report)}"
            )
        address = partition.report
    assert address is not None  # noqa: S101  (one of them has it)
    part = partition or Partition(index=0, count=1, report=address)
    async with await Reported.open(context, operation, address) as reported:
        yield reported, part


def _within(page: list[ObjectInfo], folders: str | tuple[str, ...]) -> list[ObjectInfo]:
    return [info for info in page if info.name.startswith(folders)]

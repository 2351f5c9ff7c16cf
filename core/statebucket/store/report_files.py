"""Where the files of an inventory report are: in a bucket of the service, or on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

from statebucket.errors import InvalidArgument, InvalidReport, excerpt, shown
from statebucket.port.inventory_reports import Reporting
from statebucket.port.waiting import here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from statebucket.port.bucket import ObjectInfo
    from statebucket.port.inventory_reports import ReportBucket, ReportFile
    from statebucket.store.context import StoreContext

T = TypeVar("T")

MAX_MANIFEST = 64 << 20
"""The largest manifest that is read, in bytes.

A billion objects take 1,000 files of Storage Insights, at a million rows each. Even at 10,000 rows
a file, S3's manifest would have 25 MB, at some 250 bytes for each file.
"""

_PIECE = 4 << 20  # bytes in a request: few, and well within a call's deadline
_BLOCK = 1 << 20


class ReportFiles(Protocol):
    """The files of one report.

    Attributes:
        manifest_name: The manifest's own name.
    """

    manifest_name: str

    async def manifest(self) -> bytes:
        """The manifest."""
        ...

    def opened(self, file: ReportFile) -> AbstractAsyncContextManager[IO[bytes]]:
        """A file, whole and unaltered, open on this machine for as long as it is used."""
        ...

    async def close(self) -> None:
        """Frees what is held."""
        ...


def files_at(context: StoreContext, operation: str, address: str) -> ReportFiles:
    """The files of the report whose manifest has this address: 0 requests.

    Args:
        context: The store's.
        operation: The public call that reads them.
        address: ``scheme://bucket/name``, or a path on this machine.

    Raises:
        InvalidArgument: It is no address of a manifest.
    """
    if not isinstance(address, str) or not address:
        raise InvalidArgument(
            f"report must be the address of a manifest, or its path: {shown(address)}"
        )
    scheme, separator, rest = address.partition("://")
    if not separator:
        return LocalFiles(Path(address))
    port = reporting(context)
    bucket, _, name = rest.partition("/")
    if scheme != port.report_scheme or not bucket or not name or "?" in rest or "@" in bucket:
        raise InvalidArgument(
            f"a report of this store is read by its options, from {port.report_scheme}://BUCKET/"
            f"PATH/manifest.json, without parameters, or from a path on this machine; got "
            f"{shown(scheme + separator + rest.partition('?')[0].rpartition('@')[2])}"
        )
    if _leads_elsewhere(rest):
        raise InvalidArgument(f"report must not have '.' or '..' in its path: {shown(address)}")
    return StoredFiles(context, operation, port.beside(bucket), bucket, name)


def reporting(context: StoreContext) -> Reporting:
    """The store's bucket, whose service writes inventory reports.

    Raises:
        InvalidArgument: It writes none.
    """
    bucket = context.objects.bucket
    if not isinstance(bucket, Reporting):
        raise InvalidArgument(f"{bucket.name} writes no inventory reports: leave report out")
    return bucket


class LocalFiles:
    """The files of a report that was downloaded.

    A manifest names files from the top of their bucket. They are looked for by as much of these
    names as there is, in the manifest's folder and those above it.

    Args:
        path: The manifest's path.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.manifest_name = path.name

    async def manifest(self) -> bytes:
        """See `ReportFiles.manifest`."""
        try:
            with self._path.open("rb") as opened:
                _check_manifest(os.fstat(opened.fileno()).st_size, self.manifest_name)
                return opened.read(MAX_MANIFEST)
        except (OSError, ValueError) as error:  # ValueError: it cannot be a file's name
            raise InvalidReport(f"the manifest cannot be read: {excerpt(error)}") from error

    @contextlib.asynccontextmanager
    async def opened(self, file: ReportFile) -> AsyncIterator[IO[bytes]]:
        """See `ReportFiles.opened`."""
        path = self._found(file.name)
        digest = hashlib.md5(usedforsecurity=False)
        try:
            opened = path.open("rb")
        except OSError as error:
            raise InvalidReport(f"{path} cannot be read: {error}") from error
        with opened:
            while file.md5 is not None and (block := opened.read(_BLOCK)):
                digest.update(block)
                await here().sleep(0)  # others wait for their replies
            check(file, opened.seek(0, io.SEEK_END), digest.hexdigest())
            yield opened

    def _found(self, name: str) -> Path:
        parts = name.split("/")
        if not {"", ".", ".."} & {*parts}:
            above = [one for one in self._path.absolute().parents[1:] if one != one.parent]
            folders = (self._path.parent, *above)
            for at in range(len(parts)):
                for folder in folders:
                    path = folder.joinpath(*parts[at:])
                    if path.is_file():
                        return path
        raise InvalidReport(
            f"the report's file {name!r} is neither beside the manifest {self._path} nor in a "
            "folder above it: download it with its folder"
        )

    async def close(self) -> None:
        """Nothing is held."""


class StoredFiles:
    """The files of a report in a bucket. Each is fetched whole, in pieces, before it is read.

    So a file that was altered is found out before anything is done by it, and memory does not grow
    with it.

    Args:
        context: The store's.
        operation: The public call that reads them.
        bucket: The bucket, to be closed here.
        place: Its name.
        name: The manifest's name.
    """

    def __init__(
        self, context: StoreContext, operation: str, bucket: ReportBucket, place: str, name: str
    ) -> None:
        self._context = context
        self._operation = operation
        self._bucket = bucket
        self._place = place
        self.manifest_name = name

    async def manifest(self) -> bytes:
        """See `ReportFiles.manifest`: 1 request, and 1 for each 4 MiB."""
        info = await self._info("manifest", self.manifest_name)
        _check_manifest(info.size, info.name)
        starts = range(0, info.size, _PIECE)
        return b"".join([await self._piece("manifest", info, start) for start in starts])

    @contextlib.asynccontextmanager
    async def opened(self, file: ReportFile) -> AsyncIterator[IO[bytes]]:
        """See `ReportFiles.opened`: 1 request, and 1 for each 4 MiB."""
        if _leads_elsewhere(file.name):
            raise InvalidReport(
                f"the manifest names a file with '.' or '..' in its path: {shown(file.name)}"
            )
        info = await self._info("file", file.name)
        digest = hashlib.md5(usedforsecurity=False)
        with _temporary() as copy:
            for start in range(0, info.size, _PIECE):
                piece = await self._piece("file", info, start)
                digest.update(piece)
                _keep(copy, piece)
            check(file, info.size, digest.hexdigest())
            yield copy

    async def _info(self, what: str, name: str) -> ObjectInfo:
        info = await self._send(lambda: self._bucket.head(name), name)
        if info is None:
            raise self._missing(what, name)
        return info

    async def _piece(self, what: str, info: ObjectInfo, start: int) -> bytes:
        length = min(_PIECE, info.size - start)
        piece = await self._send(
            lambda: self._bucket.get_range(info.name, start, length), info.name
        )
        if piece is None:
            raise self._missing(what, info.name)
        if piece.info.version != info.version:
            raise InvalidReport(
                f"the report's {what} was replaced while it was read", object_name=info.name
            )
        return piece.body

    async def _send(self, request: Callable[[], Awaitable[T]], name: str) -> T:
        """Sends a request, within the bounds and by the retry policy of the store."""
        call = self._context.call(self._operation)
        return await self._context.objects.send(call, request, name, place=self._place)

    def _missing(self, what: str, name: str) -> InvalidReport:
        return InvalidReport(
            f"the report's {what} is not in the bucket {self._place!r} (any more): reports may "
            "have a lifecycle rule of their own",
            object_name=name,
        )

    async def close(self) -> None:
        """See `ReportFiles.close`."""
        await self._bucket.close()


def _leads_elsewhere(name: str) -> bool:
    """Whether a client may take a name for another: some resolve these parts of a path."""
    return not {".", ".."}.isdisjoint(name.split("/"))


@contextlib.contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    """A file of this machine, without a name, so that nothing is left if the process is killed."""
    try:
        opened = tempfile.TemporaryFile()  # noqa: SIM115  (it is closed below)
    except OSError as error:
        raise _not_kept(error) from error
    with opened:
        yield opened


def _keep(copy: IO[bytes], piece: bytes) -> None:
    try:
        copy.write(piece)
        copy.flush()
    except OSError as error:
        raise _not_kept(error) from error


def _not_kept(error: OSError) -> InvalidReport:
    return InvalidReport(
        f"the report's file cannot be kept in the temporary folder: {error.strerror}: set TMPDIR "
        "to a folder with room for it"
    )


def _check_manifest(size: int, name: str) -> None:
    if size > MAX_MANIFEST:
        raise InvalidReport(
            f"the report's manifest has {size:,} bytes, and at most {MAX_MANIFEST:,} are read: "
            "pass the manifest's address, not that of a file of the report",
            object_name=name,
        )


def check(file: ReportFile, size: int, md5: str) -> None:
    """Holds a file to what its manifest says of it.

    Raises:
        InvalidReport: It is another, cut short or altered.
    """
    if file.size is not None and size != file.size:
        raise InvalidReport(
            f"the report's file has {size:,} bytes, and {file.size:,} by the manifest: it is cut "
            "short, or of another report",
            object_name=file.name,
        )
    if file.md5 is not None and md5 != file.md5.lower():
        raise InvalidReport(
            "the report's file does not have the MD5 that the manifest names: it was altered, or "
            "is of another report",
            object_name=file.name,
        )

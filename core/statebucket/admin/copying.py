"""Copying tenants from one store to another: between clouds, or to SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from statebucket.admin.copied_part import copy_part
from statebucket.admin.copier import Copier
from statebucket.admin.copy_report import CopyReport
from statebucket.admin.holdings import keeps_owner_records, of_shared, of_tenants
from statebucket.admin.opened import context_of
from statebucket.contract.callbacks import check_progress
from statebucket.contract.flags import check_flags
from statebucket.errors import InvalidArgument, StateBucketError, UnsupportedOperation, shown
from statebucket.store.extent import Extent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statebucket.contract.partition import Partition
    from statebucket.contract.state_store import StateStore
    from statebucket.store.context import StoreContext


async def copy(
    source: StateStore,
    target: StateStore,
    *,
    tenants: Iterable[str] | None = None,
    replace_keys: bool = False,
    dry_run: bool = False,
    partition: Partition | None = None,
    progress: Callable[[CopyReport], None] | None = None,
) -> CopyReport:
    """Copies tenants, with all their executions and keys, from one store to another.

    Each object is read, written on the condition that the destination has not changed, read back
    and compared. Expiry is kept to the millisecond. A snapshot never replaces a newer one, and the
    keys of an execution go or stay with its snapshot, which is written last. Those of its keys that
    were set without a tenant go with the first of its tenants; they are not copied if any tenant's
    snapshot of the execution is newer at the destination, or belongs to a tenant that is not
    copied. A key of no execution that differs at the destination is not replaced.

    Nothing is deleted at either store, and leases are not copied. What is equal at the destination
    is not written again: to continue a copy that was interrupted or ended with an error, run it
    again. An object that cannot be copied does not end the copy; the report names it.

    Both stores are asynchronous ones. A script runs
    ``asyncio.run(copy(open_store(…), open_store(…)))``.

    Args:
        source: The store to copy from, bound to no tenant.
        target: The store to copy to, bound to no tenant.
        tenants: The tenants to copy. None: all of them, and the keys that belong to no tenant.
        replace_keys: Whether a key of no execution that differs at the destination is replaced.
        dry_run: Whether to write nothing, and only report what would be copied.
        partition: Copy only what lies in this part of the source, as ``source.partitions(…)``
            returns it: if one tenant was divided, a part of that tenant, with ``tenants`` None. An
            execution is copied by the part that holds its snapshot. Nothing is counted beforehand,
            and the reports of several parts add up. Keys without a tenant count once, in the part
            of the first of their execution's tenants, even if another part wrote them. Keys of an
            execution that are set after its snapshot was copied are not copied until the copy is
            run again.
        progress: Called with the report so far, before the first object and after each one. What
            it raises ends the copy.

    Returns:
        What was done. Where ``report.ok`` is False, ``report.failures`` says what could not be
        copied, and why; a tenant of ``tenants`` that has nothing at the source is in
        ``report.missing``, and then nothing was copied.

    Raises:
        UnsupportedOperation: One of the stores is bound to a tenant.
        InvalidArgument: One of them is not a store from `statebucket.open_store`, ``tenants`` is
            not a list, or is given with a partition, a flag is neither True nor False, or
            ``progress`` is not a plain function.
        InvalidKey: One of ``tenants`` cannot be a tenant's id.
        StateBucketError: A store could not be reached, or refused the call. Its ``report`` is the
            `CopyReport` of what was done before, or None if that is nothing.

    Requests: 1 for every 1,000 objects to count them and 1 to list them, then at least 2 for an
    object (a read at each store) and 4 for one that is copied. An execution that has keys takes 2
    or 3 more, one that has keys without a tenant 1, and 1 or 2 for each tenant that has it there.
    Of a partition, each execution takes 1 or 2 more.
    """
    here, there = context_of(source, "source"), context_of(target, "target")
    if here.tenant is not None or there.tenant is not None:
        raise UnsupportedOperation(
            "copy needs stores that are bound to no tenant: open both without tenant=, and "
            "name the tenants to copy"
        )
    check_flags(replace_keys=replace_keys, dry_run=dry_run)
    wanted = None if tenants is None else _named(tenants, here)
    check_progress(progress)
    if partition is not None:
        if tenants is not None:
            raise InvalidArgument(
                "copy takes tenants or a partition, not both: divide one tenant with "
                "source.partitions(n, tenant=…)"
            )
        extent = Extent.of(here, None, partition)
        part = Copier(
            here,
            there,
            replace_keys=replace_keys,
            dry_run=dry_run,
            total=0,
            tenants=None if partition.tenant is None else [partition.tenant],
            progress=progress,
            in_part=True,
        )
        with _reported(part):
            await copy_part(part, here, extent)
        return part.report
    every = wanted is None
    names = [str(one) async for one in source.iter_tenants()] if wanted is None else wanted
    held = await of_tenants(source, names)
    missing = () if every else tuple(one.name for one in held if one.objects == 0)
    if missing:
        return CopyReport(tenants=len(names), missing=missing)
    shared = 0
    if every and keeps_owner_records(source):
        shared = (await of_shared(source)).keys
    copier = Copier(
        here,
        there,
        replace_keys=replace_keys,
        dry_run=dry_run,
        total=sum(one.snapshots + one.keys for one in held) + shared,
        tenants=names,
        progress=progress,
    )
    with _reported(copier):
        for name in names:
            await copier.tenant(name)
        if every:
            await copier.shared()
    return copier.report


@contextmanager
def _reported(copier: Copier) -> Iterator[None]:
    """Gives the error that ends a copy its report."""
    try:
        yield
    except StateBucketError as error:
        if copier.report.seen:
            error.report = copier.report
        raise


def _named(tenants: Iterable[str], source: StoreContext) -> list[str]:
    """The tenants that a caller named, each once.

    Raises:
        InvalidArgument: They are not a list.
        InvalidKey: One of them cannot be a tenant's id.
    """
    if isinstance(tenants, str):
        raise InvalidArgument(f"tenants={shown(tenants)}: write tenants=[{shown(tenants)}]")
    if not isinstance(tenants, Iterable):
        raise InvalidArgument(
            f"tenants must be a list of tenant ids, as in tenants=['acme']: {shown(tenants)}"
        )
    names = list(tenants)
    for name in names:
        source.layout.tenant(name)
    return list(dict.fromkeys(names))

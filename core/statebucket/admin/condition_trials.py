"""Tries, on objects of the doctor's own, whether a service honours conditions and listings."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from statebucket.contract.versions import Version
from statebucket.errors import AccessDenied, PreconditionFailed, StateBucketError
from statebucket.port.bucket import BYTES, Write
from statebucket.port.findings import Adjustable, Finding
from statebucket.port.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.port.bucket import Bucket
    from statebucket.port.expiry import Expiry

_ELSEWHERE = Remedy(
    advice="use a service that honours conditional requests, or do without these calls"
)
_PAGE = 2
_MAX_PAGES = 8
_WAITS = (0.1, 0.3, 1.0)  # seconds before a trial is run again


class _Trial(NamedTuple):
    """Something to try.

    Attributes:
        name: The end of the name of its object.
        what: What is tried, for messages.
        run: Tries it. Returns how the service fails and how to fix that; None if it does what it
            should.
        broken: What goes wrong in the store's calls if it does not.
    """

    name: str
    what: str
    run: Callable[[str], Awaitable[tuple[str, Remedy] | None]]
    broken: str


class ConditionTrials:
    """Tries what the store's promises depend on, all at once, and removes what it wrote.

    Args:
        bucket: The adapter.
        start: How the names of the trial objects begin.
        expiry: When they expire, in case they are not removed.
        deadline: Seconds that each request may take.
    """

    def __init__(self, bucket: Bucket, start: str, expiry: Expiry, deadline: float) -> None:
        self._bucket = bucket
        self._start = start
        self._expiry = expiry
        self._deadline = deadline

    async def findings(self) -> list[Finding]:
        """A finding for each promise that is broken, or one that says that all are kept."""
        trials = (
            _Trial(
                "create",
                "creating an object that exists",
                self._create,
                "if_version=Version.ABSENT, lease() and the first update() may overwrite what "
                "another writer has stored",
            ),
            _Trial(
                "replace",
                "replacing an object at its version",
                self._replace,
                "if_version=, update(), only_newer=True and save_snapshot(lease=) always fail, and "
                "no lease is renewed",
            ),
            _Trial(
                "replace-old",
                "replacing an object at an old version",
                self._replace_old,
                "if_version=, update(), only_newer=True and save_snapshot(lease=) may overwrite a "
                "newer value, and two workers may hold one lease",
            ),
            _Trial(
                "delete",
                "deleting an object at its version",
                self._delete,
                "sweep() and conditional deletes fail",
            ),
            _Trial(
                "delete-old",
                "deleting an object at an old version",
                self._delete_old,
                "sweep() and conditional deletes may remove newer values",
            ),
            _Trial(
                "list-",
                "listing below a prefix in pages",
                self._list,
                "list_snapshots(), delete_execution_state(), delete_tenant() and sweep() may miss "
                "objects or affect those of others",
            ),
        )
        found = [one for one in await asyncio.gather(*map(self._tried, trials)) if one is not None]
        if found:
            return found
        message = "writes and deletes honour their conditions, and listings their prefix and pages"
        return [Finding(check="conditions", status="ok", message=message)]

    async def _tried(self, trial: _Trial) -> Finding | None:
        name = self._start + trial.name
        try:
            failure = await self._patiently(trial, name)
        except (StateBucketError, TimeoutError) as error:
            said = str(error) or "no answer in time"
            if isinstance(error, TimeoutError) or error.transient:
                message = f"{trial.what} could not be tried: {type(error).__name__}: {said}"
                return Finding(check="conditions", status="unknown", message=message)
            failure = f"fails with {type(error).__name__}: {said}", _ELSEWHERE
        finally:
            await self._removed(name)
        if failure is None:
            return None
        how, remedy = failure
        message = f"{trial.what} {how}; {trial.broken}"
        return Finding(check="conditions", status="fault", message=message, remedy=remedy)

    async def _patiently(self, trial: _Trial, name: str) -> tuple[str, Remedy] | None:
        """Runs a trial again if the service is busy; each trial begins by writing its objects."""
        for wait in _WAITS:
            try:
                return await trial.run(name)
            except StateBucketError as error:
                if not error.transient or (error.retry_after or 0) > wait:
                    raise
                await asyncio.sleep(wait)
        return await trial.run(name)

    # The trials. Each has its own objects.

    async def _create(self, name: str) -> tuple[str, Remedy] | None:
        await self._put(name)
        return await self._must_fail(self._put(name, Version.ABSENT))

    async def _replace(self, name: str) -> tuple[str, Remedy] | None:
        version = await self._put(name)
        try:
            await self._put(name, version)
        except PreconditionFailed as error:
            return "is refused", await self._adjustment(name, error)
        return None

    async def _replace_old(self, name: str) -> tuple[str, Remedy] | None:
        old = await self._put(name)
        await self._put(name)
        return await self._must_fail(self._put(name, old))

    async def _delete(self, name: str) -> tuple[str, Remedy] | None:
        version = await self._put(name)
        try:
            await self._within(self._bucket.delete(name, version))
        except PreconditionFailed as error:
            return "is refused", Remedy(advice=error.remedy) if error.remedy else _ELSEWHERE
        # Some services deny a missing name to those that may not list the bucket.
        with contextlib.suppress(AccessDenied):
            if await self._within(self._bucket.head(name)) is not None:
                return "leaves it there", _ELSEWHERE
        return None

    async def _delete_old(self, name: str) -> tuple[str, Remedy] | None:
        old = await self._put(name)
        await self._put(name)
        return await self._must_fail(self._bucket.delete(name, old))

    async def _list(self, prefix: str) -> tuple[str, Remedy] | None:
        names = self._listed(prefix)
        for name in names:
            await self._put(name)
        seen: list[str] = []
        after: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._within(self._bucket.list(prefix, after=after, limit=_PAGE))
            seen += [one.name for one in page.objects]
            after = page.following
            if after is None or len(page.objects) > _PAGE:
                break
        if seen == names:
            return None
        ends = ", ".join(name.removeprefix(self._start) for name in seen) or "nothing"
        wanted = ", ".join(name.removeprefix(self._start) for name in names)
        return f"gives {ends} in place of {wanted}", _ELSEWHERE

    # What they have in common.

    async def _must_fail(self, request: Awaitable[object]) -> tuple[str, Remedy] | None:
        try:
            await self._within(request)
        except PreconditionFailed:
            return None
        return "is not refused", _ELSEWHERE

    async def _adjustment(self, name: str, error: PreconditionFailed) -> Remedy:
        """The option with which the service accepts it, or else the adapter's advice."""
        adjusted = self._bucket.adjusted() if isinstance(self._bucket, Adjustable) else {}
        for option, bucket in adjusted.items():
            version = await self._put(name)
            with contextlib.suppress(StateBucketError, TimeoutError):
                try:
                    await self._put(name, version, bucket=bucket)
                finally:
                    await bucket.close()
                return Remedy(advice=f"put {option} into the store's URL")
        return Remedy(advice=error.remedy) if error.remedy else _ELSEWHERE

    async def _put(
        self, name: str, condition: Version | None = None, *, bucket: Bucket | None = None
    ) -> Version:
        """Writes an object with a unique body, so that versions differ even if they are hashes."""
        mark = os.urandom(8).hex()
        metadata = {"writeid": mark, "expiresat": str(self._expiry.at_ms)}
        write = Write(name, mark.encode(), BYTES, metadata, self._expiry)
        sent = (bucket or self._bucket).put(write, condition)
        version: Version = await self._within(sent)
        await asyncio.sleep(self._bucket.limits.write_interval)  # before this object's next write
        return version

    async def _within(self, request: Awaitable[Any]) -> Any:  # noqa: ANN401  (what it returns)
        async with asyncio.timeout(self._deadline):
            return await request

    def _listed(self, prefix: str) -> list[str]:
        return [f"{prefix}{letter}" for letter in "abc"]

    async def _removed(self, name: str) -> None:
        """Removes what was written; if that fails, its TTL removes it."""
        for one in self._listed(name) if name.endswith("list-") else (name,):
            with contextlib.suppress(StateBucketError, TimeoutError):
                await self._within(self._bucket.delete(one))

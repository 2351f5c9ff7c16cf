"""The checks that any bucket can be put to through the port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from typing import TYPE_CHECKING

from statebucket.admin.condition_trials import ConditionTrials
from statebucket.admin.excess import excess
from statebucket.admin.opened import context_of
from statebucket.contract.flags import check_flags
from statebucket.errors import AccessDenied, InvalidCredentials, StateBucketError
from statebucket.port.bucket import BYTES
from statebucket.port.expiry import Expiry
from statebucket.port.findings import Diagnosable, Finding, Status
from statebucket.port.remedies import Remedies, Remedy
from statebucket.store.layout import PROBE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from statebucket.contract.lifecycle import Kind
    from statebucket.contract.state_store import StateStore
    from statebucket.port.bucket import ObjectInfo
    from statebucket.store.retry import Call

__all__ = ["Examination", "Finding"]

_ROUNDS = 10
_DAY_MS = 86_400_000
_LATE_MS = 60_000
_STATUSES: dict[Kind, Status] = {
    "dangerous": "fault",
    "missing": "warning",
    "wrong": "warning",
    "unknown": "unknown",
    "note": "note",
}


class Examination:
    """Examines a store's bucket.

    It reads, and asks for names that do not exist. Only with ``write`` does it write: objects named
    ``statebucket-doctor-…`` below the store's prefixes, with a TTL of a day, which it removes
    again. With them it also tries whether the service honours conditions.

    Args:
        store: The store, or a tenant's view of it.
        write: Try the rights to write and the conditions of writes, and measure them.
    """

    def __init__(self, store: StateStore, *, write: bool = False) -> None:
        check_flags(write=write)
        self._store = store
        self._context = context_of(store)
        self._write = write
        self._mark = f"{PROBE}{os.urandom(4).hex()}"
        self._service = store.name
        self._listable = False
        self._denied = ""
        bucket = self._context.objects.bucket
        self._diagnosable = bucket if isinstance(bucket, Diagnosable) else None
        self._remedies = Remedies() if self._diagnosable is None else self._diagnosable.remedies

    async def findings(self) -> AsyncIterator[Finding]:
        """The findings, one by one as they come."""
        reach = await self._reach()
        yield reach
        self._listable = reach.status == "ok"
        if reach.status == "fault" and reach.check == "reach":
            return
        for check, probe in (
            ("identity", self._identity),
            ("rights", self._rights),
            ("rights", self._excess),
            ("conditions", self._conditions),
            ("lifecycle", self._lifecycle),
            ("sweep", self._expired),
            ("latency", self._latency),
        ):
            async for finding in self._guarded(check, probe):
                yield finding

    async def _guarded(
        self, check: str, probe: Callable[[], AsyncIterator[Finding]]
    ) -> AsyncIterator[Finding]:
        """The findings of a probe; an exception becomes one too, and ends only the probe."""
        try:
            async for finding in probe():
                yield finding
        except Exception as error:  # noqa: BLE001  (as the docstring says)
            message = f"could not be checked: {_named(error)}"
            yield Finding(check=check, status="unknown", message=message)

    async def _reach(self) -> Finding:
        try:
            await self._store.health_check()
        except StateBucketError as error:
            # Without the right to list, more can be found out; without any answer, nothing can.
            denied = type(error) is AccessDenied
            return self._failed("rights" if denied else "reach", "listing", error)
        except Exception as error:  # noqa: BLE001  (of an adapter, or of its SDK)
            message = f"listing: {_named(error)}"
            return Finding(check="reach", status="fault", message=message)
        return Finding(
            check="reach", status="ok", message=f"{self._service} answers, and can be listed"
        )

    async def _identity(self) -> AsyncIterator[Finding]:
        if self._diagnosable is not None:
            async with asyncio.timeout(self._context.deadline):
                findings = await self._diagnosable.examine(self._areas()[0])
            for finding in findings:
                yield finding
        elif self._store.requires_network:
            yield Finding(
                check="identity",
                status="unknown",
                message=f"the adapter for {self._service} cannot look up identity, versioning, "
                "soft delete or the clock",
            )

    # Rights.

    def _areas(self) -> tuple[str, ...]:
        layout, tenant = self._context.layout, self._context.tenant
        if tenant is not None:
            return (layout.tenant(tenant),)
        return layout.areas

    async def _rights(self) -> AsyncIterator[Finding]:
        tried = "read" if not self._write else "write with a TTL, read back, delete"
        good: list[str] = []
        for area in self._areas():
            fault = await self._try_area(area)
            if fault is None:
                good.append(area)
            else:
                yield fault
        if good:
            yield Finding(check="rights", status="ok", message=f"{tried} below {', '.join(good)}")
        if not self._write:
            yield Finding(
                check="rights",
                status="unknown",
                message="writing was not tried",
                remedy=Remedy(command="statebucket doctor --write"),
            )

    async def _try_area(self, area: str) -> Finding | None:
        """What is wrong with the rights below one prefix."""
        name, objects = f"{area}{self._mark}", self._context.objects
        absent: AccessDenied | None = None
        tenant = self._context.tenant is not None
        remedy = self._remedies.tenant_absent if tenant else self._remedies.absent
        try:
            try:
                await objects.get(self._call(), name)  # as is done before each first save
            except AccessDenied as error:
                known = self._listable and not isinstance(error, InvalidCredentials)
                if remedy is None or not known:
                    raise
                absent = error
            if self._write:
                async with self._removing(name):
                    await self._put(name, b"probe")
                    await objects.get(self._call(), name)
        except StateBucketError as error:
            if isinstance(error, AccessDenied):
                self._denied = self._denied or area
            return self._failed("rights", f"below {area}", error)
        if absent is None:
            return None
        if not self._write:
            self._denied = self._denied or area
        # It may list, and existing objects can be read or were not tried: the rights are not
        # missing.
        return Finding(
            check="rights",
            status="fault",
            message=f"below {area} reading a missing name is denied, so each first load raises "
            f"AccessDenied: {absent}",
            remedy=remedy,
        )

    async def _excess(self) -> AsyncIterator[Finding]:
        if self._store.requires_network:
            async for finding in excess(self._context, self._remedies, self._mark):
                yield finding

    # What the service does with conditions.

    async def _conditions(self) -> AsyncIterator[Finding]:
        if not self._write:
            return
        if self._denied:  # a request that is refused to anyone shows nothing of its condition
            yield self._untried("conditions")
            return
        objects = self._context.objects
        trials = ConditionTrials(
            objects.bucket,
            f"{self._areas()[0]}{self._mark}-",
            self._expiry(),
            self._context.deadline,
        )
        for finding in await trials.findings():
            yield finding

    # Removal of what has expired.

    async def _lifecycle(self) -> AsyncIterator[Finding]:
        try:
            report = await self._store.check_lifecycle()
        except StateBucketError as error:
            denied = isinstance(error, AccessDenied)
            remedy = self._remedies.settings if denied else self._remedies.of(error)
            yield Finding(check="lifecycle", status="unknown", message=str(error), remedy=remedy)
            return
        alike: dict[tuple[Kind, Remedy | None], list[str]] = {}
        for found in report.findings:
            alike.setdefault((found.kind, found.remedy), []).append(found.message)
        for (kind, remedy), messages in alike.items():
            message = messages[0]
            if len(messages) > 1:
                message += f"; and {len(messages) - 1} more {kind}: statebucket lifecycle check"
            status = _STATUSES[kind]
            yield Finding(check="lifecycle", status=status, message=message, remedy=remedy)
        if not report.findings:
            yield Finding(
                check="lifecycle", status="ok", message="the rules are those that TTLs need"
            )

    async def _expired(self) -> AsyncIterator[Finding]:
        """Whether expired objects accumulate, judged by the first page of the listing."""
        objects = self._context.objects
        if not objects.bucket.limits.lists_metadata:
            return
        try:
            pages = objects.all_pages("doctor", self._areas()[0], self._context.deadline)
            page: list[ObjectInfo] = await anext(pages, [])
            expired = sum(objects.surely_expired(info, _LATE_MS) for info in page)
        except StateBucketError:
            return  # reported already
        if expired:
            yield Finding(
                check="sweep",
                status="warning" if not self._store.requires_network else "note",
                message=f"{expired:,} of the first {len(page):,} objects have expired and are not "
                "removed yet",
                remedy=Remedy(call="sweep()", command="statebucket sweep"),
            )

    # Latency.

    async def _latency(self) -> AsyncIterator[Finding]:
        if self._denied:
            yield self._untried("latency")
            return
        start = f"{self._areas()[0]}{self._mark}-"
        # Each save is of another object: Cloud Storage refuses a second write within a second.
        names = [f"{start}{number}" for number in range(_ROUNDS)]
        objects = self._context.objects
        kinds: dict[str, Callable[[str], Awaitable[object]]] = {}
        if self._write:
            kinds["save"] = lambda name: self._put(name, bytes(1024))
        kinds["load"] = lambda name: objects.get(self._call(), name)
        try:
            async with self._removing(*names):
                said = [f"{kind} {await _timed(send, names)}" for kind, send in kinds.items()]
        except StateBucketError as error:
            yield self._failed("latency", "measuring", error)
            return
        yield Finding(
            check="latency",
            status="ok",
            message=f"{'; '.join(said)} (min/median/max of {_ROUNDS})",
        )

    async def _put(self, name: str, body: bytes) -> None:
        objects = self._context.objects
        await objects.put(self._call(), name, body, content_type=BYTES, expiry=self._expiry())

    def _expiry(self) -> Expiry:
        """When a probe expires, in case it is not removed."""
        return Expiry(self._context.objects.now_ms() + _DAY_MS, 1)

    @contextlib.asynccontextmanager
    async def _removing(self, *names: str) -> AsyncIterator[None]:
        """Removes probes at the end in any case; if that fails, their TTL removes them."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(StateBucketError):  # the first error says more
                await self._remove(names)
            raise
        await self._remove(names)

    async def _remove(self, names: Sequence[str]) -> None:
        for name in names if self._write else ():
            await self._context.objects.delete(self._call(), name)

    def _untried(self, check: str) -> Finding:
        message = f"not tried, since access below {self._denied} is denied"
        return Finding(check=check, status="unknown", message=message)

    def _failed(self, check: str, what: str, error: StateBucketError) -> Finding:
        return Finding(
            check=check,
            status="fault",
            message=f"{what}: {type(error).__name__}: {error}",
            remedy=self._remedies.of(error, tenant=self._context.tenant is not None),
        )

    def _call(self) -> Call:
        return self._context.call("doctor")


async def _timed(send: Callable[[str], Awaitable[object]], names: Sequence[str]) -> str:
    """The milliseconds that a request takes, of one for each name."""
    took: list[float] = []
    for name in names:
        started = time.perf_counter()
        await send(name)
        took.append((time.perf_counter() - started) * 1000)
    return f"{min(took):.1f}/{statistics.median(took):.1f}/{max(took):.1f} ms"


def _named(error: Exception) -> str:
    """An error for a message; only the type of a foreign one, whose text may show a secret."""
    if isinstance(error, StateBucketError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}"

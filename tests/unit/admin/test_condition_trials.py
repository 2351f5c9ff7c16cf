"""What the doctor reports about a service that breaks conditions or listings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statebucket import Version, errors
from statebucket.admin.condition_trials import ConditionTrials
from statebucket.port.bucket import Page
from statebucket.port.expiry import Expiry
from statebucket_local.memory import MemoryBucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket.port.bucket import ObjectInfo, Write
    from statebucket.port.findings import Finding

pytestmark = pytest.mark.asyncio

EXPIRY = Expiry(4_000_000_000_000, 1)


async def tried(bucket: Any) -> list[Finding]:
    findings = await ConditionTrials(bucket, "p/doctor-", EXPIRY, 5).findings()
    assert [name for name in bucket._names if name.startswith("p/doctor-")] == []
    return findings


async def test_what_keeps_to_all_is_one_finding() -> None:
    (finding,) = await tried(MemoryBucket())
    assert finding.status == "ok"


class Quoting(MemoryBucket):
    """Takes a version only as another option sends it."""

    closed = 0

    def __init__(self, *, works: bool) -> None:
        super().__init__()
        self.works = works

    def adjusted(self) -> Mapping[str, MemoryBucket]:
        outer = self

        class Other(MemoryBucket):
            async def put(self, write: Write, condition: Version | None) -> Version:
                put = MemoryBucket.put if outer.works else Quoting.put
                return await put(outer, write, condition)

            async def close(self) -> None:
                outer.closed += 1

        return {"quotes=false": Other()}

    async def put(self, write: Write, condition: Version | None) -> Version:
        if condition not in {None, Version.ABSENT}:
            refusal = errors.PreconditionFailed("412")
            refusal.remedy = "perhaps quotes=false"
            raise refusal
        return await super().put(write, condition)


@pytest.mark.parametrize(
    ("works", "advice"),
    [(True, "put quotes=false into the store's URL"), (False, "perhaps quotes=false")],
)
async def test_an_option_is_named_where_it_was_seen_to_help(*, works: bool, advice: str) -> None:
    bucket = Quoting(works=works)
    (finding,) = await tried(bucket)
    assert finding.message.startswith("replacing an object at its version is refused")
    assert str(finding.remedy) == advice
    assert bucket.closed == 1


class Listing(MemoryBucket):
    """A service whose listings are wrong in one way."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        if self.wrong == "prefix":
            prefix = ""
        if self.wrong == "token":
            after = None
        page = await super().list(prefix, after=after, limit=limit, start_after=start_after)
        if self.wrong == "end":
            return Page(page.objects, None)
        if self.wrong in {"prefix", "token"}:
            return page
        return Page(page.objects[::-1], page.following)


@pytest.mark.parametrize("wrong", ["prefix", "token", "end", "order"])
async def test_a_listing_that_is_not_what_was_asked_for_is_a_fault(wrong: str) -> None:
    bucket = Listing(wrong)
    await bucket.put(_write("another-object"), None)
    (finding,) = await tried(bucket)
    assert finding.status == "fault"
    assert finding.message.startswith("listing below a prefix in pages gives ")
    assert "in place of list-a, list-b, list-c; " in finding.message
    assert "delete_tenant()" in finding.message
    assert await bucket.get("another-object") is not None


class Lazy(MemoryBucket):
    """A service that says it deletes at a version, and does not."""

    async def delete(self, name: str, condition: Version | None = None) -> ObjectInfo | bool:
        return True if condition is not None else await super().delete(name)


async def test_a_delete_that_leaves_the_object_is_a_fault() -> None:
    messages = [one.message for one in await tried(Lazy())]
    assert any(one.startswith("deleting an object at its version leaves it") for one in messages)


def _write(name: str) -> Any:
    from statebucket.port.bucket import Write  # noqa: PLC0415

    return Write(name, b"", "text/plain", {}, None)

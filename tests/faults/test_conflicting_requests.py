"""S3's 409 ConditionalRequestConflict means "at the same moment", not "exists already"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.clouds import look, write
from faults.server_marks import every_s3
from statebucket import Version, errors
from support.fault_proxy.proxy import Answer, Callback, Together, s3_error
from support.places import snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud

pytestmark = [pytest.mark.asyncio, every_s3]


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
@pytest.mark.parametrize("times", [1, 4])
async def test_it_is_tried_again(cloud: Cloud, code: str, times: int) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(s3_error(409, code, when=write), times=times)
        created = await store.set("k", b"1", if_version=Version.ABSENT)
        assert len(cloud.requests(write)) == times + 1
        assert cloud.requests(look) == []
        cloud.proxy.always(s3_error(409, code, when=write), times=times)
        await store.set("k", b"2", if_version=created)
        assert await store.get("k") == b"2"


async def test_while_it_lasts_nothing_was_written_and_it_is_no_conflict(cloud: Cloud) -> None:
    def conflict(retry_after: int | None = None) -> Answer:
        code = "ConditionalRequestConflict"
        return s3_error(409, code, retry_after=retry_after, when=write)

    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.plan(conflict(), conflict(), conflict(retry_after=600))
        with pytest.raises(errors.Unavailable, match="ConditionalRequestConflict") as caught:
            await store.with_deadline(60).set("k", b"v", if_version=Version.ABSENT)
        assert caught.value.outcome == "none"
        assert len(cloud.requests(write)) == 3
        assert cloud.target.raw_names() == []


async def test_the_writer_that_was_quicker_then_wins(cloud: Cloud) -> None:
    def theirs(_: object) -> None:
        cloud.target.raw_put("shared/keys/k", b"theirs", {"writeid": "another"})

    conflict = s3_error(409, "ConditionalRequestConflict")
    async with cloud.open() as store:
        cloud.proxy.plan(Together((conflict, Callback(theirs)), when=write))
        with pytest.raises(errors.VersionConflict) as caught:
            await store.set("k", b"mine", if_version=Version.ABSENT)
        assert caught.value.outcome == "none"
        assert await store.get("k") == b"theirs"


async def test_a_condition_that_holds_and_is_refused_is_told_with_what_may_help(
    cloud: Cloud,
) -> None:
    async with cloud.open() as store:
        acme = store.tenant("acme")
        await acme.save_snapshot(snapshot(1))
        version = await store.set("k", b"1")
        cloud.proxy.clear()
        cloud.proxy.always(s3_error(412, "PreconditionFailed", when=write))
        with pytest.raises(errors.RequestRejected, match="etag_quotes") as caught:
            await store.set("k", b"2", if_version=version)
        assert caught.value.outcome == "none"
        assert (len(cloud.requests(write)), len(cloud.requests(look))) == (2, 2)
        with pytest.raises(errors.RequestRejected, match="condition that is true"):
            await acme.save_snapshot(snapshot(2), only_newer=True)
        assert len(cloud.requests(write)) == 4
        cloud.proxy.heal()
        assert await store.get("k") == b"1"

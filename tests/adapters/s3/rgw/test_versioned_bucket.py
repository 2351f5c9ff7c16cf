"""A bucket that keeps versions on Ceph's gateway: plain calls work, conditions do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.test_versioned_bucket import test_what_has_expired_is_swept_once, versioned
from statebucket import Version, errors

if TYPE_CHECKING:
    from faults.clouds import Cloud

__all__ = ["test_what_has_expired_is_swept_once", "versioned"]

pytestmark = pytest.mark.asyncio


async def test_what_was_deleted_is_gone_and_can_come_again(cloud: Cloud) -> None:
    async with cloud.open() as store:
        for number in (b"1", b"2"):
            await store.set("k", number)
            assert await store.get("k") == number
            await store.delete("k")
            await store.delete("k")
            assert await store.get("k") is None
            assert not await store.exists("k")
            assert [key async for key in store.iter_keys()] == []


async def test_no_condition_works_there(cloud: Cloud) -> None:
    # So the README says, and the doctor has to find it. A version that does it right fails here.
    async with cloud.open() as store:
        first = await store.set("k", b"1", if_version=Version.ABSENT)
        second = await store.set("k", b"2", if_version=Version.ABSENT)
        assert first != second
        with pytest.raises(errors.RequestRejected, match="rejected a condition that is true"):
            await store.set("k", b"3", if_version=second)

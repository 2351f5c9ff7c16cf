"""The CRC-32 of bodies, with zlib-ng and without it."""

from __future__ import annotations

import sys
from binascii import crc32
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket_s3.http import checksums
from support.fault_proxy.proxy import CorruptBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.s3 import S3Target

LARGE = 32 * 1024


@pytest.fixture(params=["zlib-ng", "binascii"], autouse=True)
def computed_by(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which library computes the checksum of large bodies."""
    checksums._fastest.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "binascii":
            patch.setitem(sys.modules, "zlib_ng", None)
        yield request.param
    checksums._fastest.cache_clear()


@given(
    st.sampled_from([0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE]),
    st.binary(max_size=20),
    st.lists(st.binary(max_size=20), max_size=3),
)
def test_it_is_that_of_the_whole_body(length: int, text: bytes, more: list[bytes]) -> None:
    body = (text or b"\0").ljust(length, b"x")[: max(length, 1)]
    whole = b"".join([body, *more])
    assert checksums.checksum_of(body, more) == crc32(whole).to_bytes(4, "big")


@pytest.mark.asyncio
async def test_a_large_body_that_is_not_what_was_stored_is_read_again(
    target: S3Target, proxy: FaultProxy, computed_by: str
) -> None:
    value = b"0123456789abcdef" * (LARGE // 8)
    async with target.open() as store:
        await store.set("k", value)
        proxy.plan(CorruptBody())
        assert await store.get("k") == value
        assert proxy.count("GET") == 2
    compute = checksums._fastest()
    assert compute.__module__.partition(".")[0] == computed_by.replace("-", "_")

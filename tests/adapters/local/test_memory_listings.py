"""What a page of a listing of many objects in memory takes."""

from __future__ import annotations

import tracemalloc

import pytest
import pytest_asyncio

from statebucket.port.bucket import Write
from statebucket_local.memory import MemoryBucket

NAMES = 50_000


@pytest_asyncio.fixture
async def full() -> MemoryBucket:
    """A bucket with many objects, each in a folder of its own."""
    bucket = MemoryBucket()
    for number in range(NAMES):
        await bucket.put(Write(f"p/{number:06}/a", b"", "text/plain", {}, None), None)
    return bucket


@pytest.mark.asyncio
@pytest.mark.parametrize("start", [0, NAMES // 2, NAMES - 20])
async def test_a_page_costs_as_much_as_it_has_entries(full: MemoryBucket, start: int) -> None:
    """Copying the names would take 8 bytes for each of all objects."""
    after = f"p/{start:06}"
    tracemalloc.start()
    try:
        page = await full.list_prefixes("p/", after=after, limit=10)
        objects = await full.list("p/", after=after, limit=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    expected = [f"p/{number:06}/" for number in range(start, start + 10)]
    assert page.prefixes == expected
    assert [one.name for one in objects.objects] == [f"{name}a" for name in expected]
    assert peak < NAMES

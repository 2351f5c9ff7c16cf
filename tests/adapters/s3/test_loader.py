"""The SDK's data files: parsing them is most of the cost of making a client."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from support.servers import Server


@pytest.mark.asyncio
async def test_the_second_store_of_a_process_parses_no_file_again(ministack: Server) -> None:
    read: list[str] = []
    on = True

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if on and event == "open" and "/botocore/data/" in str(arguments[0]):
            read.append(str(arguments[0]))

    async with S3Target(ministack, raw_client(ministack)).open() as store:
        await store.exists("key")
    sys.addaudithook(note)  # it stays until the process ends
    try:
        async with S3Target(ministack, raw_client(ministack)).open() as store:
            await store.exists("key")
    finally:
        on = False
    assert read == []

"""A process that saves one snapshot after another until it is killed; it prints each number."""

from __future__ import annotations

import asyncio
import sys

from statebucket import open_store
from support.places import E1, snapshot


async def main(url: str) -> None:
    """Save, and say what is saved."""
    async with open_store(url) as store:
        found = await store.load_snapshot(E1)
        number = 0 if found is None else found.sequence_number
        while True:
            number += 1
            body = str(number) * 20_000
            await store.save_snapshot(snapshot(number, variables={"body": body}))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

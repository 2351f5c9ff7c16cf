"""A worker process of the demo: runs one tenant's job, and can pause half-way.

``python -m statebucket.demo.worker URL TENANT EXECUTION FOLDER [STEP]``
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from statebucket import ExecutionId, TenantId, open_store
from statebucket.demo.job import run, text_files


async def main(url: str, tenant: str, execution: str, folder: str, hold_in: int | None) -> None:
    """Runs the job; in the middle of step ``hold_in`` it says so and waits to be killed."""

    async def halfway(step: int) -> None:
        if step == hold_in:
            print("halfway", flush=True)  # noqa: T201  (the parent waits for it)
            await asyncio.Event().wait()

    async with open_store(url) as store:
        files = text_files(Path(folder))
        done = await run(store, TenantId(tenant), ExecutionId(execution), files, halfway)
        print(done.state.name if hasattr(done.state, "name") else done.state, flush=True)  # noqa: T201


if __name__ == "__main__":
    step = int(sys.argv[5]) if len(sys.argv) > 5 else None  # noqa: PLR2004  (see the usage above)
    url, tenant, execution, folder = sys.argv[1:5]
    asyncio.run(main(url, tenant, execution, folder, step))

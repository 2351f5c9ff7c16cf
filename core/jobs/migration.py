"""All tenants copied from one store to another."""

from collections.abc import Callable

from statebucket import open_store
from statebucket.admin import CopyReport, copy


async def migrate(source: str, target: str, progress: Callable[[CopyReport], None]) -> CopyReport:
    """Copies what the target does not have yet; run it again after an interruption."""
    async with open_store(source) as old, open_store(target) as new:
        await old.health_check()
        await new.health_check()
        return await copy(old, new, progress=progress)

"""Two stores, and a copy of one tenant between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statebucket import open_store
from statebucket.admin import CopyReport
from statebucket.admin import copy as copy_store

if TYPE_CHECKING:
    from statebucket.store.store import ObjectStateStore


@pytest.fixture
def stores() -> tuple[ObjectStateStore, ObjectStateStore]:
    return open_store("memory://"), open_store("memory://")


async def copy(
    source: ObjectStateStore, target: ObjectStateStore, tenant: str = "acme", **options: Any
) -> CopyReport:
    return await copy_store(source, target, tenants=[tenant], **options)

"""The contract on the embedded default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.testing import StateStoreContract
from support.targets.local import MemoryTarget, SQLiteTarget

if TYPE_CHECKING:
    from pathlib import Path


class TestMemory(StateStoreContract):
    @pytest.fixture
    def target(self) -> MemoryTarget:
        return MemoryTarget()


class TestSQLite(StateStoreContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> SQLiteTarget:
        return SQLiteTarget(tmp_path)

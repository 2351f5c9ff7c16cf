"""The contract suite on the blocking store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statebucket import StateStore, sync
from statebucket.testing import StateStoreContract
from support.targets.local import MemoryTarget, SQLiteTarget
from support.targets.s3 import S3Target, raw_client
from sync.awaited import AwaitedStore

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server


def blocking(url: str, options: dict[str, Any]) -> StateStore:
    return AwaitedStore(sync.open_store(url, **options))


class BlockingMemory(MemoryTarget):
    def open(self, **options: Any) -> StateStore:
        return blocking(f"memory://{self._name}", {"clock": self.clock} | options)


class BlockingSQLite(SQLiteTarget):
    def open(self, **options: Any) -> StateStore:
        return blocking(f"sqlite:///{self.path}", {"clock": self.clock} | options)


class BlockingS3(S3Target):
    def open(self, **options: Any) -> StateStore:
        return blocking(self.url, {"clock": self.clock} | options)


class BlockingContract(StateStoreContract):
    # `statebucket.admin` takes an asynchronous store.
    test_inventories_of_the_parts_add_up: Any = None


class TestMemory(BlockingContract):
    @pytest.fixture
    def target(self) -> MemoryTarget:
        return BlockingMemory()


class TestSQLite(BlockingContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> SQLiteTarget:
        return BlockingSQLite(tmp_path)


@pytest.mark.slow
class TestS3(BlockingContract):
    # How the store waits is the same for each of thousands of objects.
    test_any_number_of_keys: Any = None
    test_listings_go_over_several_pages: Any = None
    test_a_listing_goes_on_behind_a_page: Any = None
    test_more_tenants_than_a_page: Any = None
    test_more_orphans_than_a_page: Any = None
    test_more_keys_than_a_batch_are_deleted: Any = None

    @pytest.fixture
    def target(self, ministack: Server) -> S3Target:
        return BlockingS3(ministack, raw_client(ministack))


@pytest.mark.slow
class TestS3HTTP(TestS3):
    """In the caller's thread, without an event loop."""

    @pytest.fixture
    def target(self, ministack: Server) -> S3Target:
        return BlockingS3(ministack, raw_client(ministack), engine="http")

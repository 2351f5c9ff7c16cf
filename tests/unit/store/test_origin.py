"""Pickling a store: it is opened again where it is unpickled, as in a process pool."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors, open_store
from statebucket.sync import open_store as open_blocking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket import StateStore
    from statebucket.sync import BlockingStateStore


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[BlockingStateStore]:
    """A view that has been used."""
    with open_blocking(f"sqlite:///{tmp_path}/state.db") as store:
        view = store.tenant("acme")
        view.set("k", b"v")
        yield view


def again(value: Any) -> Any:
    """What another process has of a value."""
    return pickle.loads(pickle.dumps(value))


def worker(store: BlockingStateStore, key: str) -> bytes | None:
    """Runs in another process."""
    store.set(f"{key}-seen", b"1")
    return store.get(key)


def test_a_store_that_was_used_goes_into_a_process_pool(acme: BlockingStateStore) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert list(pool.map(partial(worker, acme), ["k", "none"])) == [b"v", None]
    assert acme.get("k-seen") == b"1"


def test_it_is_the_same_file_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_blocking("sqlite:///state.db", tenant="acme") as store:
        store.set("k", b"v")
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        with again(store) as other:
            assert (other.get("k"), other.tenant_id) == (b"v", "acme")


def test_a_view_stays_one_with_its_options(tmp_path: Path) -> None:
    async def work() -> None:
        url = f"sqlite:///{tmp_path}/state.db?owner_index=false"
        async with open_store(url, retention=3600, finished_ttl=60) as store:
            view: StateStore = again(store.tenant("acme").with_deadline(3))
            job = again(store.tenant("acme").execution("a:b", keep=True))
            await job.set("k", b"v")
            assert [key async for key in view.execution("a:b").iter_keys()] == ["k"]
            stored = await view.execution("a:b").get_stored("k")
            assert stored is not None
            assert stored.expires_at is not None, "retention"
            assert repr(view) == repr(store.tenant("acme"))
            assert vars(view)["context"].deadline == 3
            with pytest.raises(errors.TenantMismatch):
                view.tenant("other")
            with pytest.raises(errors.UnsupportedOperation, match="owner_index=false"):
                await again(store).load_snapshot("a:b")
            await view.shutdown()
            await vars(job)["_store"].shutdown()

    asyncio.run(work())


def test_views_that_are_pickled_together_share_a_store(acme: BlockingStateStore) -> None:
    one, other = again([acme, acme.with_deadline(2)])
    one.set("k", b"2")
    assert other.get("k") == b"2"
    assert one.stats() == other.stats() != acme.stats()
    one.shutdown()


def test_a_copy_shares_the_store_and_a_deep_copy_opens_its_own(acme: BlockingStateStore) -> None:
    assert copy.copy(acme).stats() == acme.stats()
    with copy.deepcopy(acme) as other:
        assert other.get("k") == b"v"
        assert other.stats() != acme.stats()


@pytest.mark.parametrize("url", ["memory://", "memory://shared"])
def test_a_store_in_memory_says_that_no_other_process_has_it(url: str) -> None:
    for store in (open_store(url), open_blocking(url).tenant("acme"), open_blocking(url)):
        with pytest.raises(errors.UnsupportedOperation, match="'memory' exists only within"):
            pickle.dumps(store)


def test_an_option_that_cannot_be_pickled_is_named(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/state.db", clock=lambda: 7.0)
    with pytest.raises(errors.UnsupportedOperation, match="clock=, whose function cannot be"):
        pickle.dumps(store)

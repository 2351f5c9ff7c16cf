"""What a store remembers: a bounded number of entries, the latest used."""

from __future__ import annotations

from statebucket.store.lru_cache import LRUCache


def test_the_entry_that_was_used_longest_ago_goes() -> None:
    cache: LRUCache[str, int] = LRUCache(2)
    for number, key in enumerate("ab"):
        cache.put(key, number)
    assert cache.get("a") == 0
    cache.put("c", 2)
    assert [cache.get(key) for key in "abc"] == [0, None, 2]
    cache.put("a", 3)
    cache.put("d", 4)
    assert [cache.get(key) for key in "acd"] == [3, None, 4]

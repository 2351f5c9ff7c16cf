"""A bucket with many objects that takes no time to fill."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING, Any

from statebucket.contract.versions import Version
from statebucket.port.bucket import Object, ObjectInfo, Page, PrefixPage
from statebucket_local.memory import MemoryBucket

if TYPE_CHECKING:
    from collections.abc import Iterable

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class ManyNames(MemoryBucket):
    """A bucket in memory that counts its listings.

    Args:
        names: The names of its objects, which are empty.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        version = Version("1")
        self._objects = {name: Object(ObjectInfo(name, version, 0, {}), b"") for name in names}
        self._names = sorted(self._objects)
        self.listings = 0

    async def list(self, *args: Any, **options: Any) -> Page:
        self.listings += 1
        return await super().list(*args, **options)

    async def list_prefixes(self, *args: Any, **options: Any) -> PrefixPage:
        self.listings += 1
        return await super().list_prefixes(*args, **options)


def uuids(number: int, seed: int = 7) -> list[str]:
    some = random.Random(seed)
    return [str(uuid.UUID(int=some.getrandbits(128))) for _ in range(number)]


def ulids(number: int, seed: int = 7) -> list[str]:
    """Ids that begin with a time, all within one hour."""
    some = random.Random(seed)
    return [f"01JDX{at * 37:07d}{''.join(some.choices(_CROCKFORD, k=16))}" for at in range(number)]


def snapshots(tenant: str, ids: Iterable[str]) -> list[str]:
    return [f"tenants/{tenant}/snapshots/{one}" for one in ids]


def keys(tenant: str, ids: Iterable[str], each: int) -> list[str]:
    return [f"tenants/{tenant}/executions/{one}/k{at}" for one in ids for at in range(each)]

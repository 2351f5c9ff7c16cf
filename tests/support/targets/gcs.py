"""A bucket for the contract suite, inspected through the JSON API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from statebucket import StateStore, open_store
from statebucket.testing import RawObject, Target
from support.targets.gcs_bucket import Around

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.fault_proxy.proxy import FaultProxy


class GCSTarget(Target):
    """A bucket of its own.

    Args:
        server: The server's URL.
        proxy: The proxy for the store's requests, which checks or counts them.
        counted: Whether it counts them.
        engine: The store's engine.
    """

    def __init__(
        self,
        server: str,
        proxy: FaultProxy | None = None,
        *,
        counted: bool = False,
        engine: str = "sdk",
    ) -> None:
        super().__init__()
        self.prefix = f"{uuid4().hex}/state/"
        self.around = Around(server)
        self.engine = engine
        self.endpoint = server if proxy is None else proxy.url
        self.proxy = proxy if counted else None

    @property
    def url(self) -> str:
        """The store's URL."""
        where = f"gs://{self.around.bucket}/{self.prefix[:-1]}"
        return f"{where}?endpoint_url={self.endpoint}&anonymous=true&engine={self.engine}"

    def open(self, **options: Any) -> StateStore:
        return open_store(self.url, **{"clock": self.clock} | options)

    def raw_names(self) -> list[str]:
        names = self.around.names(self.prefix)
        return sorted(name.removeprefix(self.prefix) for name in names)

    def raw_get(self, name: str) -> RawObject | None:
        resource = self.around.resource(self.prefix + name)
        body = self.around.read(self.prefix + name)
        if resource is None or body is None:
            return None
        return RawObject(body, resource.get("metadata", {}))

    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self.around.write(self.prefix + name, body, metadata)

    def raw_put_many(self, names: Iterable[str], body: bytes = b"v") -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self.raw_put(name, body), names))

    def requests(self) -> int | None:
        if self.proxy is None:
            return None
        count = self.proxy.count()
        self.proxy.clear()
        return count

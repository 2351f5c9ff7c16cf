"""The shipped suites on an S3 server, for test classes that name the server and the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from statebucket import Version, errors
from statebucket.testing import RequestCountContract, StateStoreContract
from statebucket.testing.contract.base import ACME
from support.fault_proxy.proxy import FaultProxy
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from statebucket import StateStore
    from statebucket.testing import Target
    from support.servers import Server
    from support.targets.differences import Differences


class S3Contract(StateStoreContract):
    """The contract, for a class that brings a ``server``.

    Attributes:
        engine: The store's engine.
        query: What the store's URL has besides; see `S3Target`.
        differs: What the server does otherwise; see `support.targets.differences`.
    """

    engine: ClassVar[str] = "sdk"
    query: ClassVar[str] = ""
    differs: ClassVar[Differences] = {}

    @pytest.fixture
    def target(self, server: Server) -> S3Target:
        return S3Target(server, raw_client(server), engine=self.engine, query=self.query)

    # A batch holds 1,000, and so does a page.
    @pytest.mark.parametrize("count", [0, 1, 1000, 1001, 2001])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)


class S3Requests(RequestCountContract):
    """The requests of each call, counted by a proxy before the ``server``."""

    engine: ClassVar[str] = "sdk"
    query: ClassVar[str] = ""
    differs: ClassVar[Differences] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def proxy(cls, server: Server) -> Iterator[FaultProxy]:
        with FaultProxy(server.host, server.port) as proxy:
            yield proxy

    @pytest.fixture
    def target(self, server: Server, proxy: FaultProxy) -> S3Target:
        return S3Target(server, raw_client(server), proxy, self.engine, self.query)


CALLS: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "set": lambda store: store.set("k", b"v"),
    "create": lambda store: store.set("k", b"v", if_version=Version.ABSENT),
    "get": lambda store: store.get("k"),
    "delete": lambda store: store.delete("k"),
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "health_check": lambda store: store.health_check(),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("engine", ["sdk", "http"])
class S3Signatures:
    """A server that checks who asks, for a class that brings it as ``server``."""

    async def test_a_wrong_secret_is_refused(
        self, server: Server, engine: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
        await self.refused(server, engine)

    async def test_an_unknown_key_is_refused(
        self, server: Server, engine: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown-access-key")
        await self.refused(server, engine)

    async def refused(self, server: Server, engine: str) -> None:
        target = S3Target(server, raw_client(server), engine=engine)
        async with target.open() as store:
            for name, call in CALLS.items():
                with pytest.raises(errors.InvalidCredentials) as caught:
                    await call(store)
                assert caught.value.outcome == "none", name
            # The reply to a HEAD has no body that would tell the two apart.
            with pytest.raises(errors.AccessDenied):
                await store.exists("k")
        assert target.raw_names() == []

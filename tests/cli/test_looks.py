"""A command removes only what it has counted and asked about, even if more has come since."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from statebucket import open_store
from statebucket.sync import open_store as open_blocking
from support.command_line import command_line
from support.fault_proxy.proxy import Callback, FaultProxy, on
from support.lifecycle_places import S3

if TYPE_CHECKING:
    import pytest

    from support.servers import Server


async def fill(url: str) -> None:
    async with open_store(url) as store:
        acme = store.tenant("acme")
        await acme.save_snapshot(acme.snapshot("e1"))
        await acme.set("exec:e1:k", b"v")
        await store.set("exec:e1:shared", b"v")


def test_an_execution_that_another_tenant_has_since_stays(
    moto: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    place = S3(moto)
    asyncio.run(fill(place.url))

    def change(_: object) -> None:
        with open_blocking(f"{place.url}&engine=http") as store:
            store.tenant("acme").delete_execution_state("e1")
            zenith = store.tenant("zenith")
            zenith.save_snapshot(zenith.snapshot("e1"))

    with FaultProxy(moto.host, moto.port) as proxy:
        counted = on("GET", contains="shared%2Fexecutions%2Fe1%2F")
        proxy.plan(Callback(change, when=counted))
        done = command_line(place.url.replace(moto.url, proxy.url))("rm-execution", "e1", "--yes")
        assert proxy.pending == ()
    assert done.code == 0
    with open_blocking(f"{place.url}&engine=http") as store:
        assert store.tenant("zenith").load_snapshot("e1") is not None
        assert list(store.iter_keys("e1")) == []

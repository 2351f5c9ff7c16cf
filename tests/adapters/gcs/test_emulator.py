"""Tests that need gcp-storage-emulator: reading without the XML API, and lifecycle rules."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import pytest

from statebucket.errors import PreconditionFailed
from statebucket.lifecycle.rules import needed_rules
from statebucket.port.expiry import Expiry
from statebucket.port.lifecycle import Lifecycle, LifecyclePort
from support.fault_proxy.proxy import FaultProxy, gcs_error, on
from support.rules import scope
from support.targets.gcs_bucket import write

if TYPE_CHECKING:
    from support.targets.gcs_bucket import Around, Opened

pytestmark = pytest.mark.asyncio


async def test_gcp_storage_emulator_works_but_for_conditions_and_pages(
    around_emulator: Around, caplog: pytest.LogCaptureFixture, opened: Opened
) -> None:
    bucket = opened(around_emulator.url, around_emulator.bucket)
    for name in ("a/b~20", "a/c"):
        assert await bucket.get(name) is None
        version = await bucket.put(write(name, b"\0\r\n--x", Expiry(1_900_000_000_000, 1)), None)
        found = await bucket.get(name)
        assert found is not None
        assert found.body == b"\0\r\n--x"
        assert found.info == await bucket.head(name)
        assert found.info.version == version
    assert around_emulator.resource("a/c")["customTime"].startswith("2030-03-17T17:46:40")
    page = await bucket.list("a/", after=None, limit=10)
    assert [info.name for info in page.objects] == ["a/b~20", "a/c"]
    assert (await bucket.list_prefixes("", after=None, limit=10)).prefixes == ["a/"]
    assert [d.existed for d in await bucket.delete_many(["a/c", "a/d"])] == [True, False]
    assert caplog.text.count("each read is two requests") == 1  # once, not for each read
    await bucket.close()


async def test_lifecycle_rules_are_read_and_written(
    around_emulator: Around, opened: Opened
) -> None:
    bucket = opened(around_emulator.url, around_emulator.bucket)
    assert isinstance(bucket, LifecyclePort)
    found = await bucket.read_lifecycle()
    assert isinstance(found, Lifecycle)
    assert found.rules == ()
    rules = needed_rules(scope("a/b", bucket.removal))
    await bucket.write_lifecycle(rules, found)
    found = await bucket.read_lifecycle()
    assert isinstance(found, Lifecycle)
    assert [msgspec.structs.replace(rule, raw=None) for rule in found.rules] == rules
    described = around_emulator.ask("GET", f"/storage/v1/b/{around_emulator.bucket}")
    assert described["lifecycle"]["rule"][0] == {
        "action": {"type": "Delete"},
        "condition": {
            "daysSinceCustomTime": 1,
            "matchesPrefix": ["a/b/tenants/", "a/b/shared/", "a/b/owners/"],
        },
    }


async def test_rules_that_somebody_else_has_changed_are_not_overwritten(
    around_emulator: Around,
    opened: Opened,
) -> None:
    # gcp-storage-emulator knows no condition: what is sent is looked at.
    with FaultProxy("127.0.0.1", urlsplit(around_emulator.url).port or 0) as proxy:
        bucket = opened(proxy.url, around_emulator.bucket)
        found = await bucket.read_lifecycle()
        assert isinstance(found, Lifecycle)
        proxy.plan(gcs_error(412, "conditionNotMet", when=on("PATCH")))
        with pytest.raises(PreconditionFailed):
            await bucket.write_lifecycle([], found)
        assert f"ifMetagenerationMatch={found.state}&" in proxy.requests[-1].target

"""The examples' handlers, run as their platforms run them, each on its own cloud's server."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.platforms import aws_lambda, azure_function, google_function
from functions.runtime_api import FunctionFailed
from statebucket import ExecutionState
from support.fault_proxy.proxy import HoldUntil, on
from support.places import ACME, Place, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from functions.platforms import Started

    Platform = Callable[[Mapping[str, str]], AbstractContextManager[Started]]

pytestmark = pytest.mark.slow

MIB = 1 << 20
HANDLERS = Path(__file__).with_name("handlers")
EVENT: dict[str, Any] = {"tenant_id": ACME, "execution_id": "order-7"}
PLATFORMS: dict[str, Platform] = {
    "s3": aws_lambda,
    "gcs": google_function,
    "gcs+http": google_function,
    "azure": azure_function,
    "azure+http": azure_function,
}
PACKAGES = {
    "s3": "awslambdaric",
    "gcs": "functions_framework",
    "gcs+http": "functions_framework",
    "azure": "azure.functions",
    "azure+http": "azure.functions",
}

on_its_cloud = pytest.mark.parametrize("place", list(PLATFORMS), indirect=True)
on_aws = pytest.mark.parametrize("place", ["s3"], indirect=True)


@pytest.fixture
def environ(place: Place) -> dict[str, str]:
    """What the platform is configured with; the package of its runtime must be there."""
    package = PACKAGES[place.service]
    if find_spec(package) is None:
        pytest.skip(f"the runtime is not installed: {package}")
    return {**place.environ, "STATEBUCKET_URL": place.url}


@on_its_cloud
def test_a_new_process_goes_on_where_the_last_one_ended(
    place: Place, environ: dict[str, str]
) -> None:
    platform = PLATFORMS[place.service]
    with platform(environ) as first:
        assert first.invoke(EVENT) == {"state": "running", "outputs": {"fetch": _of("fetch")}}
    with platform(environ) as second:
        assert list(second.invoke(EVENT)["outputs"]) == ["fetch", "transform"]
        answer = second.invoke(EVENT)  # warm
    assert answer["state"] == "done"
    assert answer["outputs"] == {step: _of(step) for step in ("fetch", "transform", "publish")}
    with platform(environ) as third:  # the event is delivered once more
        assert third.invoke(EVENT) == answer
    with place.blocking() as store:
        found = store.load_stored("order-7")
        assert found is not None
        assert found.value.state == ExecutionState.COMPLETED
        assert found.value.sequence_number == 3
        assert found.expires_at is not None


@on_its_cloud
def test_a_warm_process_survives_a_freeze_in_which_its_connections_died(
    place: Place, environ: dict[str, str]
) -> None:
    assert place.proxy is not None
    with PLATFORMS[place.service](environ) as function:
        function.invoke(EVENT)
        function.freeze()
        assert place.proxy.freeze_idle()
        function.thaw()
        assert list(function.invoke(EVENT)["outputs"]) == ["fetch", "transform"]
        assert place.proxy.close_idle()
        assert function.invoke(EVENT)["state"] == "done"


@on_aws
def test_a_small_function_is_enough(place: Place, environ: dict[str, str]) -> None:
    memory = 128 * MIB
    with aws_lambda(environ, memory) as first:
        first.invoke(EVENT)
        assert first.peak_bytes() < memory
    with aws_lambda(environ, memory) as second:
        second.invoke(EVENT)
        assert second.invoke(EVENT)["state"] == "done"
        assert second.peak_bytes() < memory
    assert place.proxy is not None
    assert place.proxy.count("PUT") == 4  # three snapshots, and who owns them


@on_aws
def test_an_event_delivered_twice_at_once_is_worked_on_once(
    place: Place, environ: dict[str, str]
) -> None:
    def leased() -> AbstractContextManager[Started]:
        return aws_lambda(environ, folder=HANDLERS, handler="leased.handler")

    event = {**EVENT, "step": "pay", "number": 1, "seconds": 0}
    refused = threading.Event()
    assert place.proxy is not None
    with leased() as one, leased() as two, ThreadPoolExecutor(1) as pool:
        two.invoke({**event, "execution_id": "order-8"})  # has started
        place.proxy.clear()
        place.proxy.always(HoldUntil(refused.is_set, when=on("PUT", "snapshots/order-7")))
        first = pool.submit(one.invoke, event)
        place.proxy.wait_for(on("PUT", "snapshots/order-7"))
        with pytest.raises(FunctionFailed, match="LeaseHeld"):
            two.invoke(event)
        refused.set()
        done = first.result()
        assert list(done["done"]) == ["pay"]
        assert two.invoke(event) == done  # the queue's next try finds it done
        later = two.invoke({**event, "step": "ship", "number": 2, "seconds": 0})
    assert later["done"]["pay"] == done["done"]["pay"]
    assert later["done"]["ship"]["fence"] > done["done"]["pay"]["fence"]


@on_aws
def test_a_holder_that_was_frozen_past_its_lease_overwrites_nothing(
    place: Place, environ: dict[str, str]
) -> None:
    assert place.proxy is not None
    event = {**EVENT, "step": "pay", "number": 1, "seconds": 3.0}
    with (
        aws_lambda(environ, folder=HANDLERS, handler="leased.handler") as late,
        ThreadPoolExecutor(1) as pool,
        place.blocking(clock=lambda: time.time() + 3600) as store,
    ):
        first = pool.submit(late.invoke, event)
        place.proxy.wait_for(on("PUT", "leases/"))
        place.proxy.wait_for(on("GET", "snapshots/"))
        late.freeze()
        acme = store.tenant(ACME)
        # An hour later.
        with acme.lease("order-7", ttl=timedelta(seconds=30)) as lease:
            acme.save_snapshot(snapshot(5, "order-7"), lease=lease)
            late.thaw()
            with pytest.raises(FunctionFailed, match=r"StaleSnapshot|LeaseLost"):
                first.result()
        found = acme.load_snapshot("order-7")
        assert found is not None
        assert found.sequence_number == 5


def _of(step: str) -> str:
    return f"{step} of order-7"

"""The example that charges each order once, as Lambda runs it, on the lean engine."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.platforms import EXAMPLES, aws_lambda
from functions.runtime_api import FunctionFailed
from support.fault_proxy.proxy import BlackHole, HoldUntil, Pass

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from functions.platforms import Started
    from support.fault_proxy.proxy import FaultProxy
    from support.places import Place

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("place", ["s3+http"], indirect=True)]

MIB = 1 << 20
EVENT: dict[str, Any] = {"tenant_id": "acme", "order_id": "7", "amount": 30}


def started(
    place: Place, memory: int | None = None, seconds: float = 30
) -> AbstractContextManager[Started]:
    """A new process of the function."""
    env = {**place.environ, "STATEBUCKET_URL": place.url}
    return aws_lambda(env, memory, folder=EXAMPLES / "aws-idempotency", seconds=seconds)


@pytest.fixture
def proxy(place: Place) -> FaultProxy:
    assert place.proxy is not None
    return place.proxy


def test_an_event_that_comes_again_gets_the_first_receipt(place: Place, proxy: FaultProxy) -> None:
    with started(place) as first:
        receipt = first.invoke(EVENT)
        assert receipt["charged"] == 30
        assert proxy.count() == 2
        assert first.invoke(EVENT) == receipt  # warm
        assert proxy.count() == 4
        assert first.invoke({**EVENT, "tenant_id": "zenith"}) != receipt
    with started(place) as second:
        assert second.invoke(EVENT) == receipt
        with pytest.raises(FunctionFailed, match="IdempotencyValidationError"):
            second.invoke({**EVENT, "amount": 31})
        with pytest.raises(FunctionFailed, match="IdempotencyKeyError"):
            second.invoke({"amount": 30})


def test_a_small_function_is_enough(place: Place) -> None:
    memory = 128 * MIB
    with started(place, memory) as function:
        assert function.invoke(EVENT) == function.invoke(EVENT)
        assert function.peak_bytes() < memory


def test_an_event_delivered_twice_at_once_is_charged_once(place: Place, proxy: FaultProxy) -> None:
    with started(place) as one, started(place) as two, ThreadPoolExecutor(1) as pool:
        two.invoke({**EVENT, "order_id": "8"})  # has started
        proxy.clear()
        refused = threading.Event()
        proxy.plan(Pass(), HoldUntil(refused.is_set))
        first = pool.submit(one.invoke, EVENT)
        proxy.wait_for(lambda _: proxy.count() == 2)
        with pytest.raises(FunctionFailed, match="IdempotencyAlreadyInProgressError"):
            two.invoke(EVENT)
        refused.set()
        receipt = first.result()
        assert two.invoke(EVENT) == receipt  # the queue's next try


def test_what_was_killed_is_taken_over_after_its_timeout(place: Place, proxy: FaultProxy) -> None:
    with started(place) as next_one, ThreadPoolExecutor(1) as pool:
        with started(place, seconds=2) as killed:
            proxy.plan(Pass(), BlackHole())
            first = pool.submit(killed.invoke, EVENT)
            proxy.wait_for(lambda _: proxy.count() == 2)
            killed.process.kill()
            with pytest.raises(FunctionFailed, match="the process ended"):
                first.result()
        time.sleep(2)
        receipt = next_one.invoke(EVENT)
        assert next_one.invoke(EVENT) == receipt

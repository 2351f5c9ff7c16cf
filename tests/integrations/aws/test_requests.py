"""Counts the requests of an idempotent call, which the package's page states."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from integrations.aws.orders import ORDER, Charges, Context, Died, handler
from integrations.conftest import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment


def failing(_event: dict[str, Any]) -> None:
    raise ValueError


def dying(_event: dict[str, Any]) -> None:
    raise Died


@pytest.mark.parametrize("deployment", COUNTED, indirect=True)
def test_the_requests_of_each_call(deployment: Deployment, counted: FaultProxy) -> None:
    with deployment.blocking(counted.url) as store:
        cached = handler(store, Charges(), use_local_cache=True)
        left = {**ORDER, "order": "left"}

        def call(work: Callable[[dict[str, Any]], object], event: dict[str, Any] = ORDER) -> None:
            handler(store, work)(event, Context(0))

        def in_progress() -> None:
            handler(store, dying)({**ORDER, "order": "held"}, Context())

        calls: dict[str, tuple[Callable[[], object], int]] = {
            "failing": (lambda: call(failing), 2),
            "first": (lambda: call(Charges()), 2),
            "repeated": (lambda: call(Charges()), 2),
            "another process, with a cache": (lambda: cached(ORDER, Context()), 2),
            "cached": (lambda: cached(ORDER, Context()), 0),
            "killed": (lambda: call(dying, left), 1),
            "taken over": (lambda: call(Charges(), left), 4),
            "held": (in_progress, 1),
            "in progress": (in_progress, 2),
        }
        sent = {}
        for name, (make, _) in calls.items():
            time.sleep(0.01)  # what had no time left has ended
            counted.clear()
            try:
                make()
            except BaseException as error:  # noqa: BLE001  (its requests are what counts)
                assert name in {"failing", "killed", "held", "in progress"}, error  # noqa: PT017
            sent[name] = counted.count()
    assert sent == {name: requests for name, (_, requests) in calls.items()}

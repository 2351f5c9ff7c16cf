"""The examples' handlers, run as their platforms run them, each on its own cloud's server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from functions.places import ACME, Place
from functions.platforms import aws_lambda, azure_function, google_function
from statebucket import ExecutionState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from functions.platforms import Started

    Platform = Callable[[Mapping[str, str]], AbstractContextManager[Started]]

pytestmark = pytest.mark.slow

MIB = 1 << 20
EVENT = {"tenant_id": ACME, "execution_id": "order-7"}
PLATFORMS: dict[str, Platform] = {
    "s3": aws_lambda,
    "gcs": google_function,
    "azure": azure_function,
}
PACKAGES = {"s3": "awslambdaric", "gcs": "functions_framework", "azure": "azure.functions"}

on_its_cloud = pytest.mark.parametrize("place", list(PLATFORMS), indirect=True)
on_aws = pytest.mark.parametrize("place", ["s3"], indirect=True)


@pytest.fixture
def environ(place: Place) -> dict[str, str]:
    """What the platform is told; the package of its runtime must be there."""
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


def _of(step: str) -> str:
    return f"{step} of order-7"

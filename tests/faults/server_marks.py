"""Which servers a test runs on, and how long a call took."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from statebucket import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable

CLOUDS = ["s3", "gcs", "azure"]
PRODUCTION = ["seaweedfs", "seaweedfs+http"]  # with either engine
HTTP = ["gcs+http", "azure+http"]  # the other engine of what CLOUDS has

every_cloud = pytest.mark.parametrize("cloud", CLOUDS, indirect=True)
with_production = pytest.mark.parametrize("cloud", [*CLOUDS, *HTTP, *PRODUCTION], indirect=True)
every_server = pytest.mark.parametrize(
    "cloud", ["moto", *PRODUCTION, *CLOUDS, *HTTP], indirect=True
)
every_s3 = pytest.mark.parametrize("cloud", ["moto", "s3", *PRODUCTION], indirect=True)
s3_only = pytest.mark.parametrize("cloud", ["s3"], indirect=True)
moto_only = pytest.mark.parametrize("cloud", ["moto"], indirect=True)
gcs_only = pytest.mark.parametrize("cloud", ["gcs"], indirect=True)
azure_only = pytest.mark.parametrize("cloud", ["azure", "azure+http"], indirect=True)
with_tags = pytest.mark.parametrize("cloud", ["s3", "azure", "azure+http"], indirect=True)
# moto and fake-gcs-server check no checksum of what they are sent
with_checks = pytest.mark.parametrize(
    "cloud", ["s3", *PRODUCTION, "azure", "azure+http"], indirect=True
)

_BEAT_S = 0.01


class Timed(NamedTuple):
    """How a call ended.

    Attributes:
        seconds: How long it took, without what the machine kept it waiting.
        error: What it raised, or None.
    """

    seconds: float
    error: errors.StateBucketError | None


async def timed(call: Awaitable[object]) -> Timed:
    """Run a call, and take the time.

    A pulse in a thread beside it adds up how late each beat was: on a busy machine each step of the
    call is late as well, which is no fault of the call's. It is no pulse of the loop's: a call that
    blocks the loop is to be seen.
    """
    late = 0.0
    over = threading.Event()

    def pulse() -> None:
        nonlocal late
        while not over.is_set():
            before = time.monotonic()
            time.sleep(_BEAT_S)
            late += time.monotonic() - before - _BEAT_S

    beside = threading.Thread(target=pulse)
    beside.start()
    started = time.monotonic()
    error: errors.StateBucketError | None = None
    try:
        await call
    except errors.StateBucketError as caught:
        error = caught
    finally:
        seconds = time.monotonic() - started
        over.set()
        beside.join()
    return Timed(seconds - late, error)

"""Concurrent loads, saves, deletes and clean-ups: some order of the calls explains what was seen.

Among them are the races of an expired object with a fresh write, of a delete with a save and of a
clean-up with a save: each history ends with a read of what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consistency.recording import check, in_threads, in_two_processes, losing
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server
    from support.targets.deployments import Deployment

SERVERS = [
    "moto",
    "ministack",
    "seaweedfs",
    "seaweedfs+http",
    "fake",
    "fake+http",
    "azurite",
    "azurite+http",
]
SEED = 1606


@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    param: str = request.param
    name, _, engine = param.partition("+")
    server: Server | None = request.getfixturevalue(name) if param in SERVERS else None
    service = name if server is None else server.service
    with deployment_on(service, server, tmp_path, engine or "sdk") as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("deployment", ["memory", "sqlite", *SERVERS], indirect=True)
def test_an_order_explains_what_was_seen(deployment: Deployment) -> None:
    in_memory = deployment.service == "memory"
    tally = check(in_threads(deployment, SEED, 150 if in_memory else 40))
    assert tally.operations > 300
    assert tally.overlaps > (5 if in_memory else 60)
    assert tally.refusals > 15


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["lost", "late"])
@pytest.mark.parametrize("deployment", SERVERS, indirect=True)
def test_an_order_explains_what_was_seen_where_replies_are_lost(
    deployment: Deployment,
    late: bool,  # noqa: FBT001  (a parameter)
) -> None:
    tally = check(losing(deployment, SEED + late, 15, late=late))
    assert tally.operations > 120
    assert tally.overlaps > 30
    assert tally.unknown > 5


@pytest.mark.slow
def test_an_order_explains_what_two_processes_saw(tmp_path: Path) -> None:
    tally = check(in_two_processes(f"sqlite:///{tmp_path / 'state.db'}", SEED, 100))
    assert tally.operations > 500
    assert tally.overlaps > 60
    assert tally.refusals > 20

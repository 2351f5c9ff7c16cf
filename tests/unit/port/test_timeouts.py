"""A dead connection leaves a call time to try another."""

from __future__ import annotations

import pytest

from statebucket.port.timeouts import idle_limit


@pytest.mark.parametrize("deadline", [0.3, 10.0, 86_400.0])
def test_a_call_may_meet_two_dead_connections_and_still_try_a_third(deadline: float) -> None:
    assert 0 < 2 * idle_limit(deadline) < deadline

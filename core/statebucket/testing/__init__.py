"""For tests: the contract suite for authors of adapters, and a clock for everyone.

An adapter is held to the contract by a subclass with one fixture::

    from statebucket.testing import StateStoreContract

    class TestMyAdapter(StateStoreContract):
        @pytest.fixture
        def target(self):
            return MyTarget()

`Target` says what the suite needs. The extra ``statebucket[testing]`` installs pytest and
pytest-asyncio.
"""

import pytest

pytest.register_assert_rewrite("statebucket.testing.contract")

from statebucket.testing.clock import Clock  # noqa: E402  (the line above comes first)
from statebucket.testing.contract import RequestCountContract, StateStoreContract  # noqa: E402
from statebucket.testing.target import RawObject, Target  # noqa: E402

__all__ = ["Clock", "RawObject", "RequestCountContract", "StateStoreContract", "Target"]

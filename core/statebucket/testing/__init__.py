"""For tests: the contract suite for authors of adapters, and a clock for everyone.

To test an adapter against the contract, write a subclass with one fixture::

    from statebucket.testing import StateStoreContract

    class TestMyAdapter(StateStoreContract):
        @pytest.fixture
        def target(self):
            return MyTarget()

`Target` says what the suite needs. The extra ``statebucket[testing]`` installs pytest and
pytest-asyncio; `Clock` needs neither.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

with suppress(ModuleNotFoundError):  # the clock is for other test runners, too
    import pytest

    pytest.register_assert_rewrite("statebucket.testing.contract")

from statebucket.testing.clock import Clock
from statebucket.testing.target import RawObject, Target

if TYPE_CHECKING:
    from statebucket.testing.contract import RequestCountContract as RequestCountContract
    from statebucket.testing.contract import StateStoreContract as StateStoreContract

__all__ = ["Clock", "RawObject", "Target"]  # and the two of the suite, when they are asked for


def __getattr__(name: str) -> Any:  # noqa: ANN401  (one of the suite's classes)
    """Loads the suite when it is asked for: it needs pytest-asyncio, which fixtures do not.

    Raises:
        ImportError: pytest or pytest-asyncio is missing.
    """
    if name not in {"RequestCountContract", "StateStoreContract"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from statebucket.testing import contract  # noqa: PLC0415  (see above)
    except ModuleNotFoundError as error:
        if error.name not in {"pytest", "pytest_asyncio"}:
            raise
        raise ImportError(
            "the contract suite needs pytest and pytest-asyncio: pip install 'statebucket[testing]'"
        ) from error

    return getattr(contract, name)

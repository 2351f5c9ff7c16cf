"""Which tests a worker begins with: the slow ones, so that no worker ends alone.

By default pytest-xdist begins with the modules and classes that have the most tests. The soak, a
single test of more than a minute, would come last, and the other worker would wait for it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# Seconds on an idle machine, of modules and classes whose tests take longer than others.
SECONDS = {
    "adapters/azure/test_contract.py::TestAzuriteHTTPRequests": 20,
    "adapters/azure/test_contract.py::TestAzuriteRequests": 20,
    "adapters/azure/test_port.py": 20,
    "adapters/gcs/test_contract.py::TestStrictHTTPRequests": 20,
    "adapters/gcs/test_contract.py::TestStrictRequests": 20,
    "adapters/s3/test_doctor_services.py": 20,
    "adapters/s3/test_seaweedfs.py::TestSeaweedFSHTTPRequests": 15,
    "adapters/test_inventory_reports.py": 45,
    "cli/test_reports.py": 20,
    "cli/test_terminal.py": 20,
    "consistency/test_linearizable.py": 80,
    "consistency/test_property_store.py::TestStore": 10,
    "consistency/test_same_ids.py::TestSameIds": 10,
    "consistency/test_ttl_machine.py": 20,
    "faults/test_cancellation.py": 40,
    "faults/test_hangs.py": 50,
    "faults/test_interrupted_removal.py": 30,
    "faults/test_killed.py": 20,
    "faults/test_same_errors.py": 20,
    "faults/test_write_rate.py": 15,
    "functions/test_leases.py": 50,
    "functions/test_loops.py": 40,
    "functions/test_memory.py": 25,
    "functions/test_runtimes.py": 20,
    "integrations/keyvalue/test_fastmcp.py": 20,
    "integrations/langgraph/test_conformance.py": 30,
    "integrations/langgraph/test_graphs.py": 30,
    "packaging/test_extras.py": 30,
    "packaging/test_wheel.py": 15,
    "soak/test_soak.py": 65,
    "sync/test_signals.py": 40,
}
_USUAL_S = 0.12  # of any other test


def _scope(item: pytest.Item) -> str:
    """The unit that ``--dist loadscope`` gives to one worker: a class, or a module's functions."""
    without_parameters = item.nodeid.partition("[")[0]  # which may hold "::"
    return without_parameters.removeprefix("tests/").rpartition("::")[0]


def longest_first(items: list[pytest.Item]) -> None:
    """Sorts the tests by how long their class or module takes."""
    counts = Counter(map(_scope, items))
    items.sort(key=lambda item: -SECONDS.get(_scope(item), _USUAL_S * counts[_scope(item)]))


def unused(items: list[pytest.Item]) -> list[str]:
    """The names that no longer belong to a module or class."""
    return sorted(set(SECONDS) - set(map(_scope, items)))

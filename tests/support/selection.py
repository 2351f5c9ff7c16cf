"""What ``make test`` leaves to ``make test-all``, and why.

``make test`` runs every behaviour on at least one server of each cloud. What is left out here runs
the same behaviour once more: on another server of the same protocol, on another engine, or with
more examples. `tests.conftest` applies the list; ``--everything`` runs all.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import pytest

Amount = TypeVar("Amount", int, float)

OPTION = "--everything"
_VARIABLE = "STATEBUCKET_TESTS"


class Left(NamedTuple):
    """Tests that only ``make test-all`` runs.

    Attributes:
        pattern: Their ids below ``tests/``, as `fnmatch` matches them; ``[`` stands for itself.
        reason: Where ``make test`` shows the same.
    """

    pattern: str
    reason: str


_NUMBERS = "engine=http on ministack has every number"

LEFT = (
    Left("adapters/s3/test_contract.py::TestMoto::*", "ministack shows it with the same engine"),
    Left("adapters/s3/test_contract.py::TestMotoHTTP::*", "ministack shows it"),
    Left("adapters/s3/test_contract.py::TestMoto*Requests::*", "counted on ministack"),
    Left("adapters/[!el]*::test_more_orphans_than_a_page", "SQLite; each server has its pages"),
    Left("adapters/[!el]*::test_a_listing_goes_on_behind_a_page", "as its requests are counted"),
    Left("adapters/s3/*::TestMinistackRequests::test_*listing*", "engine=http has it"),
    Left("adapters/*::TestSeaweedFS*::test_more_tenants_than_a_page", "ministack and its pages"),
    Left("adapters/gcs/test_contract.py::TestGCPEmulator*::*", "fake-gcs-server shows it"),
    Left("adapters/gcs/test_contract.py::TestFakeGCS*::*", "shown through the strict proxy"),
    Left("adapters/*::test_any_number_of_keys[[]1000]", _NUMBERS),
    Left("adapters/*::TestSQLite::test_any_number_of_keys[[]2500]", _NUMBERS),
    Left("adapters/*::TestMinistack::test_any_number_of_keys[[]2500]", _NUMBERS),
    Left("adapters/*::TestSeaweedFS*::test_any_number_of_keys[[]*00*]", _NUMBERS),
    Left("adapters/azure/*::test_any_number_of_keys[[]*00*]", _NUMBERS),
    Left("adapters/gcs/*::test_any_number_of_keys[[]*00*]", _NUMBERS),
    Left("adapters/azure/*::TestAzurite::test_more_keys_than_a_batch*", "257 are two of Azure's"),
    Left("adapters/[ag]*HTTPRequests::test_a_*_begins_behind_a*", "the SDK's engine on it"),
    Left("adapters/gcs/*HTTPRequests::test_listing_tenants", "the SDK's engine on it"),
    Left("adapters/azure/test_port.py::*[[]http-34603008]", "one request, whatever its size"),
    Left("adapters/azure/test_port.py::*[[]http-68157440]", "one request, whatever its size"),
    Left("adapters/example/*::test_any_number_of_keys[[]*", _NUMBERS),
    Left("adapters/azure/test_contract.py::*::test_listing_tenants", _NUMBERS),
    Left("adapters/s3/test_seaweedfs.py::TestSeaweedFS::*", "engine=http on the same server"),
    Left("adapters/gcs/test_contract.py::TestStrictHTTP::*", "the SDK's engine; one port for both"),
    Left("adapters/azure/test_contract.py::TestAzuriteHTTP::*", "the SDK's engine on Azurite"),
    Left("sync/test_contract.py::TestMoto*::*", "the blocking store is the same over SQLite"),
    Left("sync/test_contract.py::TestMemory::*", "the blocking store is the same over SQLite"),
    Left("consistency/test_ttl_machine.py::test_moto", "memory and SQLite"),
    Left("consistency/test_linearizable.py::*moto*", "ministack"),
    Left("consistency/test_linearizable.py::*memory*", "SQLite"),
    Left("adapters/s3/test_seaweedfs.py::*Requests::*", "counted on ministack"),
    Left("adapters/s3/test_rclone.py::*[[]http]", "the SDK's engine shows it"),
    Left("consistency/test_linearizable.py::*[[]seaweedfs]", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]seaweedfs-*", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]fake]", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]fake-*", "engine=http on the same server"),
    Left("faults/*seaweedfs]", "engine=http on the same server"),
    Left("unit/support/test_servers.py::*[[]seaweedfs*", "its contract starts it, in 4 s"),
    Left("functions/test_leases.py::*[[]s3]", "engine=http on the same server"),
    Left("functions/test_leases.py::*[[]azure]", "engine=http on S3; the lease is the core's"),
    Left("functions/test_leases.py::*[[]azure+http]", "as above"),
    Left("functions/test_leases.py::*[[]gcs]", "engine=http on S3; the lease is the core's"),
    Left("functions/test_leases.py::*[[]gcs+http]", "as above"),
    Left("functions/test_loops.py::*[[]s3+http]", "the SDK's clients are those bound to a loop"),
    Left("functions/test_loops.py::*[[]memory]", "SQLite"),
    Left("integrations/*[[]*s3]", "engine=http on the same server; the engine is not theirs"),
    Left("integrations/*[[]*s3-*", "as above"),
    Left("integrations/*[[]*gcs]", "as above"),
    Left("integrations/*[[]*gcs-*", "as above"),
    Left("integrations/*[[]*azure]", "as above"),
    Left("integrations/*[[]*azure-*", "as above"),
    Left("integrations/*[[]*memory]", "SQLite"),
    Left("integrations/*[[]*memory-*", "SQLite"),
    Left("integrations/keyvalue/*[[]closed-*", "entered or not, the calls are the same"),
    Left("integrations/keyvalue/test_fastmcp.py::*gcs*", "SQLite and S3; the calls are tried"),
    Left("integrations/keyvalue/test_fastmcp.py::*azure*", "as above"),
    Left("integrations/aws/test_durable.py::*replay[[]gcs*", "S3; all else is tried on it"),
    Left("integrations/aws/test_durable.py::*replay[[]azure*", "as above"),
    Left("docs/test_request_table.py::*", "each adapter's contract counts its requests"),
    Left("benchmarks/*", "nothing of it is shipped"),
    Left("packaging/test_extras.py::test_a_cloud*", "the wheel alone is tried"),
    Left("packaging/test_extras.py::test_an_extra_alone*", "the wheel alone is tried"),
    Left("soak/*", "a mixed load of a minute and more"),
    Left("integrations/langgraph/test_conformance.py::*-moto*", "ministack"),
    Left("integrations/langgraph/test_graphs.py::test_of_two_processes*[[]gcs*", "S3 and SQLite"),
    Left("integrations/langgraph/test_graphs.py::test_of_two_processes*[[]azure*", "as above"),
    Left("integrations/langgraph/test_conformance.py::*-gcs+http]", "S3 and SQLite"),
    Left("integrations/langgraph/test_conformance.py::*-azure+http]", "S3 and SQLite"),
    Left("integrations/langgraph/test_conformance.py::*blocking-s3+http]", "SQLite"),
    Left("unit/admin/test_copying_between_clouds.py::*", "copies between two kinds are tried"),
)


def start(*, everything: bool) -> None:
    """Tells the workers of this run, and modules that count examples, how much is to be run."""
    os.environ[_VARIABLE] = "everything" if everything else "some"


def examples(some: Amount, everything: Amount) -> Amount:
    """How many examples a property is tried with, or for how many seconds processes race.

    Args:
        some: What ``make test`` does.
        everything: What ``make test-all`` does.
    """
    return everything if os.environ.get(_VARIABLE) == "everything" else some


def left_out(item: pytest.Item) -> Left | None:
    """Why ``make test`` leaves a test out; None where it does not."""
    name = item.nodeid.removeprefix("tests/")
    return next((left for left in LEFT if fnmatchcase(name, left.pattern)), None)


def choose(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that ``make test`` runs, and those that it leaves out."""
    chosen: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (chosen if left_out(item) is None else left).append(item)
    return chosen, left


def unused(items: list[pytest.Item]) -> list[str]:
    """The patterns that match none of these tests: a test was renamed or is gone."""
    names = [item.nodeid.removeprefix("tests/") for item in items]
    return [
        left.pattern for left in LEFT if not any(fnmatchcase(name, left.pattern) for name in names)
    ]

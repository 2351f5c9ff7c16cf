"""What ``make test`` leaves to ``make test-all``, and why.

``make test`` runs every behaviour at least once, and what depends on the service on at least one
server of each cloud. The tests listed here run the same behaviour again: on another server or
cloud, on another engine, or with more examples. Some test what is not part of the package, such as
the benchmarks. `tests.conftest` applies the list; ``--everything`` runs all.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase, translate
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import pytest

Amount = TypeVar("Amount", int, float)

OPTION = "--everything"
_VARIABLE = "STATEBUCKET_TESTS"


class Left(NamedTuple):
    """Tests that only ``make test-all`` runs.

    Attributes:
        pattern: Their ids below ``tests/``, as `fnmatch` matches them; ``[[]`` stands for ``[``.
        reason: Which part of ``make test`` shows the same.
        but: The ids of those among them that ``make test`` does run.
    """

    pattern: str
    reason: str
    but: tuple[str, ...] = ()

    def matches(self, name: str) -> bool:
        """Whether a test is left out by this, by its id below ``tests/``."""
        return fnmatchcase(name, self.pattern) and not any(
            fnmatchcase(name, one) for one in self.but
        )


_NUMBERS = "engine=http on ministack has 1,001, memory 2,500"

# What of the contract an adapter has a part in: the rest is decided before it is called.
_ADAPTERS = tuple(
    f"*::test_{name}"
    for name in (
        *("a_delete_*", "a_listing_*", "a_name_of_1024_*", "a_prefix_*", "a_scan_*"),
        *("*saved_snapshot*", "*_shut_down_*", "*secrets*", "*version*", "*expir*", "*metadata*"),
        *("absent_only_creates", "an_execution_goes_*", "a_tenant_goes_*", "any_number_of_*"),
        *("awkward_*", "bytes_come_back_*", "deleting_*", "exists_*", "is_healthy", "large_*"),
        *("listings_*", "many_*", "more_*", "objects_that_are_not_ours_*", "of_*", "pages_*"),
        *("rewriting_shortens_*", "tenants_are_listed_*", "the_same_value_set_again_*", "twenty_*"),
        *("a_deletion_that_loses_*", "a_value_may_be_a_buffer*", "a_value_that_came_back_*"),
        *("executions_have_keys_*", "what_is_gone_already_*", "an_execution_with_the_longest_*"),
    )
)

LEFT = (
    Left("adapters/s3/test_contract.py::TestMoto::*", "ministack shows it with the same engine"),
    Left("adapters/s3/test_contract.py::TestMotoHTTP::*", "ministack shows it"),
    Left("adapters/s3/test_contract.py::TestMoto*Requests::*", "counted on ministack"),
    Left(
        "adapters/s3/test_contract.py::TestMinistackHTTP::*",
        "SeaweedFS shows it with the same engine",
        but=("*::test_any_number_of_keys*",),
    ),
    Left(
        "adapters/s3/test_contract.py::TestMinistack::*",
        "of what the adapter has no part in: SeaweedFS shows it with engine=http",
        but=_ADAPTERS,
    ),
    Left(
        "adapters/gcs/test_contract.py::TestStrict::*",
        "of what the adapter has no part in: SeaweedFS and SQLite show it",
        but=_ADAPTERS,
    ),
    Left("adapters/azure/test_contract.py::TestAzurite::*", "as above", but=_ADAPTERS),
    Left("adapters/s3/*::TestMinistackHTTP::test_any_number_of_keys[[]2001]", "1,001 go in two"),
    Left("adapters/[ag]*::test_*_of_the_parts_*", "SeaweedFS and SQLite; the core divides"),
    Left("adapters/azure/*::test_a_listing_begins_*", "a page holds them all"),
    Left("adapters/[!el]*::test_more_orphans_than_a_page", "SQLite; each server has its pages"),
    Left("adapters/[!el]*::test_a_listing_goes_on_behind_a_page", "as its requests are counted"),
    Left("adapters/s3/*::TestMinistackRequests::test_*listing*", "engine=http has it"),
    Left("adapters/*::TestSeaweedFS*::test_more_tenants_than_a_page", "ministack and its pages"),
    Left("adapters/*::TestSeaweedFS*::test_more_keys_than_a_batch*", "ministack"),
    Left("adapters/gcs/test_contract.py::TestGCPEmulator*::*", "fake-gcs-server shows it"),
    Left("adapters/*::test_any_number_of_keys[[]1000]", _NUMBERS),
    Left("adapters/*::TestSQLite::test_any_number_of_keys[[]2500]", _NUMBERS),
    Left("adapters/*::TestMinistack::test_any_number_of_keys[[]2001]", _NUMBERS),
    Left("adapters/*::TestSeaweedFS*::test_any_number_of_keys[[]*00*]", _NUMBERS),
    Left("adapters/gcs/*::test_any_number_of_keys[[]*00*]", _NUMBERS),
    Left("adapters/azure/*::TestAzurite::test_more_keys_than_a_batch*", "257 are two of Azure's"),
    Left("adapters/[ag]*HTTPRequests::test_a_*_begins_behind_a*", "the SDK's engine on it"),
    Left("adapters/gcs/*HTTPRequests::test_listing_tenants", "the SDK's engine on it"),
    Left("adapters/azure/test_port.py::*[[]sdk-34603008]", "65 MiB go in blocks, too"),
    Left("adapters/azure/test_port.py::*[[]http-34603008]", "one request, whatever its size"),
    Left("adapters/azure/test_batches_and_listings.py::test_delete_many[[]*-255]", "256, and 100"),
    Left("adapters/azure/test_port.py::*[[]http-68157440]", "one request, whatever its size"),
    Left("adapters/example/*::test_any_number_of_keys[[]*", _NUMBERS),
    Left("adapters/azure/test_contract.py::*::test_listing_tenants", _NUMBERS),
    Left("adapters/s3/test_seaweedfs.py::TestSeaweedFS::*", "engine=http on the same server"),
    Left("adapters/gcs/test_contract.py::TestStrictHTTP::*", "the SDK's engine; one port for both"),
    Left("adapters/azure/test_contract.py::TestAzuriteHTTP::*", "the SDK's engine on Azurite"),
    Left("adapters/[ag]*::test_bad_*", "refused before any request: SeaweedFS and SQLite"),
    Left(
        "adapters/example/*::TestDictionary::*",
        "of what the adapter has no part in: SQLite shows it",
        but=_ADAPTERS,
    ),
    Left("sync/*::test_bad_*", "as above"),
    Left("adapters/azure/*::test_any_number_of_keys[[]256]", "257 are two of its batches"),
    Left("adapters/azure/*::test_a_page_of_executions_begins_*", "any listing of a page"),
    Left("adapters/gcs/*::test_a_page_of_executions_begins_*", "as above"),
    Left("adapters/test_inventory_reports.py::*[[]s3-sdk-*", "engine=http on the same server"),
    Left("adapters/test_inventory_reports.py::*[[]gcs-http-*", "the SDK's engine reads the same"),
    Left("adapters/test_inventory_reports.py::*[[]azure-http-CSV]", "Parquet, by the same engine"),
    Left(
        "adapters/s3/test_doctor_services.py::*ends_no_examination[[]*-[45]0[04]-*",
        "each body with 200, each status with one",
        but=("*[[]{}-*",),
    ),
    Left("adapters/azure/*::test_listings_go_over_several_pages", "a page holds them all"),
    Left("adapters/azure/*::test_more_tenants_than_a_page", "a page holds them all"),
    Left("adapters/azure/test_requests.py::*[[]http-put, 65 MiB]", "the SDK's engine"),
    Left("adapters/azure/test_requests.py::*one_version[[]http]", "the SDK's engine"),
    Left("adapters/azure/test_environment.py::*shuts_down[[]sdk-localhost*", "by its address"),
    Left("adapters/azure/test_environment.py::*shuts_down[[]http-127*", "by its name"),
    Left("adapters/gcs/test_loops.py::*forked*[[]sdk-caller]", "engine=http"),
    Left("adapters/gcs/test_loops.py::*forked*[[]http-own]", "the SDK's engine"),
    Left("adapters/s3/*::TestMinistackRequests::test_a_page_*", "engine=http has it"),
    Left("adapters/s3/test_doctor_services.py::test_a_service*[[]sdk]", "engine=http"),
    Left("adapters/s3/test_doctor_services.py::*ends_no_examination*-http]", "the SDK's engine"),
    Left("sync/test_signals.py::test_a_signal_may_come_*", "they come at each line of calls"),
    Left("sync/test_contract.py::TestS3*::*", "the blocking store is the same over SQLite"),
    Left("sync/test_contract.py::TestMemory::*", "the blocking store is the same over SQLite"),
    Left("consistency/test_ttl_machine.py::test_moto", "memory and SQLite"),
    Left("consistency/test_linearizable.py::*moto*", "ministack"),
    Left("consistency/test_linearizable.py::*memory*", "SQLite"),
    Left("adapters/s3/test_seaweedfs.py::*Requests::*", "counted on ministack"),
    Left("adapters/s3/test_rclone.py::*[[]sdk]", "engine=http shows it"),
    Left("adapters/s3/test_doctor_services.py::*rclone*[[]sdk]", "engine=http shows it"),
    Left("consistency/test_linearizable.py::*[[]seaweedfs]", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]seaweedfs-*", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]fake]", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]fake-*", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]ministack-*", "SeaweedFS"),
    Left("consistency/test_linearizable.py::*[[][af]*+http-late]", "SeaweedFS; lost ones on each"),
    Left("consistency/test_linearizable.py::*[[]azurite]", "engine=http on the same server"),
    Left("consistency/test_linearizable.py::*[[]azurite-*", "engine=http on the same server"),
    Left("faults/*seaweedfs]", "engine=http on the same server"),
    Left("unit/support/test_servers.py::*", "those that it tests are in use beside it"),
    Left("faults/test_interrupted_removal.py::*[[]*-before-*", "after the service's work, too"),
    Left("faults/test_interrupted_removal.py::*[[]delete_tenant-refused-*", "the other removal"),
    Left("faults/test_interrupted_removal.py::*[[]delete_execution_state-lost-*", "as above"),
    Left("faults/test_interrupted_removal.py::*[[]delete_tenant-lost-[ag]*", "S3"),
    Left("faults/test_interrupted_removal.py::*[[]*_state-after-[ag]*", "a tenant's removal; S3"),
    Left("faults/test_killed.py::*[[]fault0-0-[ag]*", "S3, and after the service's work on each"),
    Left("faults/test_killed.py::test_at_any_moment[[][ag]*", "as above"),
    Left("faults/test_cancellation.py::*[[]delete_execution_state-*", "a tenant's removal"),
    Left("faults/test_cancellation.py::*[[]only_newer-*", "a save, and a replacement"),
    Left("faults/*[[]*azure+http]", "the SDK's engine on it; engine=http on the other two clouds"),
    Left(
        "functions/test_leases.py::*s3]",
        "engine=http on the same server",
        but=("*::test_a_lease_that_is_taken_but_not_entered*",),  # which is tried on it alone
    ),
    Left("functions/test_leases.py::*azure*", "engine=http on S3; the lease is the core's"),
    Left("functions/test_leases.py::*gcs*", "as above"),
    Left("functions/test_leases.py::*memory]", "SQLite"),
    Left("functions/test_loops.py::*s3+http]", "on Cloud Storage: one transport for all"),
    Left("functions/test_loops.py::*azure+http]", "as above"),
    Left("functions/test_loops.py::*[[]memory]", "SQLite"),
    Left("functions/test_leases.py::test_two_processes*[[]sqlite]", "S3"),
    Left("functions/test_leases.py::test_interleaved*[[]sqlite]", "S3"),
    Left("functions/test_memory.py::*[[]5-*", "a bound of 1"),
    Left("functions/test_runtimes.py::*[[]gcs]", "engine=http in the same runtime"),
    Left("functions/test_runtimes.py::*[[]azure]", "engine=http in the same runtime"),
    Left("integrations/*[[]*s3]", "engine=http on the same server; the engine is not theirs"),
    Left("integrations/*[[]*s3-*", "as above"),
    Left("integrations/*[[]*gcs]", "as above"),
    Left("integrations/*[[]*gcs-*", "as above"),
    Left("integrations/*[[]*azure]", "as above"),
    Left("integrations/*[[]*azure-*", "as above"),
    Left("integrations/*[[]*memory]", "SQLite"),
    Left("integrations/*[[]*memory-*", "SQLite"),
    Left(
        "integrations/*/test_requests.py::*+http]",
        "each adapter's contract counts its requests",
        but=("*s3+http]",),
    ),
    Left(
        "integrations/*azure+http*",
        "S3 and Cloud Storage; the store is tried on Azure",
        but=("*/claude/test_conformance.py::*", "*/keyvalue/test_store.py::test_one_entry*"),
    ),
    Left("integrations/keyvalue/test_fastmcp.py::*block*", "the server; its store is tried"),
    Left("integrations/keyvalue/test_fastmcp.py::*sqlite]", "S3"),
    Left("integrations/aws/test_durable.py::*[[]gcs*", "S3"),
    Left("integrations/aws/test_durable.py::*[[]azure*", "S3"),
    Left("integrations/aws/test_durable.py::*[[]sqlite]", "S3"),
    Left("integrations/langgraph/test_graphs.py::test_of_two_processes*[[]sqlite]", "S3"),
    Left("docs/test_request_table.py::*", "each adapter's contract counts its requests"),
    Left("benchmarks/*", "nothing of it is shipped"),
    Left("packaging/test_extras.py::test_a_cloud*", "the wheel alone is tried"),
    Left("packaging/test_extras.py::test_an_extra_alone*", "the wheel alone is tried"),
    Left("packaging/test_extras.py::test_the_command_line*", "the wheel alone is tried"),
    Left("packaging/test_extras.py::test_checksums*", "the wheel alone is tried"),
    Left("packaging/test_extras.py::test_the_fixtures_and_the_suite*", "the wheel alone is tried"),
    Left("packaging/test_extras.py::test_what_is_uploaded*", "the wheel of it is tried"),
    Left("packaging/test_extras.py::test_the_sdist*", "the wheel is built from it and tried"),
    Left("soak/*", "a mixed load of a minute and more"),
    Left("integrations/langgraph/test_graphs.py::test_of_two_processes*[[]gcs*", "S3"),
    Left("integrations/langgraph/test_graphs.py::test_of_two_processes*[[]azure*", "as above"),
    Left("integrations/langgraph/test_conformance.py::*-gcs+http]", "S3 and SQLite"),
    Left("integrations/langgraph/test_conformance.py::*-azure+http]", "S3 and SQLite"),
    Left("cli/test_every_cloud.py::test_an_empty*[[][ag]*", "S3; sweep and doctor on each"),
    Left("cli/test_every_cloud.py::test_looking*[[][ag]*", "as above"),
    Left("cli/test_parts.py::*[[]batch]", "unit/scale/test_arrays; Kubernetes' here"),
    Left("cli/test_parts.py::test_ctrl_c*[[]0]", "0.05 s later"),
    Left("cli/test_parts.py::test_ctrl_c*[[]0.1]", "0.2 s"),
    Left("cli/test_parts.py::test_a_removal_that_was_killed*[[]1]", "with two processes"),
    Left("unit/demo/test_demo.py::test_on_cloud_storage", "SQLite and S3; its calls are tried"),
    Left("unit/demo/test_demo.py::test_on_azure", "as above"),
    Left("unit/demo/test_demo.py::test_ctrl_c*[[]2*", "before and after it"),
    Left("unit/lifecycle/test_offboarding.py::*[[]moto+http]", "ministack"),
    Left("unit/lifecycle/test_offboarding.py::*[[]emulator+http]", "the SDK's engine on it"),
    Left("unit/scale/test_on_dask.py::test_errors_of_a_worker*", "in processes"),
    Left("unit/scale/test_on_dask.py::test_a_job_on_a_cluster*", "a worker of one that dies"),
    Left("unit/pytest_plugin/test_fixtures.py::*development*[[]PYTHON*", "-X dev"),
    Left("unit/support/test_secret_scan.py::test_a_worker_hands*", "a run that leaks fails"),
    Left("unit/support/test_secret_scan.py::test_a_run_without*", "this run passes"),
    Left("unit/admin/test_copying_between_clouds.py::*", "copies between two kinds are tried"),
)


def start(*, everything: bool) -> None:
    """Tells the workers of this run, and modules that count examples, how much to run."""
    os.environ[_VARIABLE] = "everything" if everything else "some"


def examples(some: Amount, everything: Amount) -> Amount:
    """How many examples a property is tried with, or for how many seconds processes race.

    Args:
        some: The number for ``make test``.
        everything: The number for ``make test-all``.
    """
    return everything if os.environ.get(_VARIABLE) == "everything" else some


_ANY = re.compile("|".join(translate(left.pattern) for left in LEFT))
"""All patterns in one, which rules out most tests in a single step."""


def left_out(item: pytest.Item) -> Left | None:
    """Why ``make test`` leaves a test out; None if it does not."""
    name = _name(item)
    if _ANY.match(name) is None:
        return None
    return next((left for left in LEFT if left.matches(name)), None)


def _name(item: pytest.Item) -> str:
    return item.nodeid.removeprefix("tests/")


def choose(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that ``make test`` runs, and those that it leaves out."""
    chosen: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (chosen if left_out(item) is None else left).append(item)
    return chosen, left


def unused(items: list[pytest.Item]) -> list[str]:
    """The patterns that match none of these tests: a test was renamed or is gone."""
    names = [name for name in map(_name, items) if _ANY.match(name)]
    return [left.pattern for left in LEFT if not any(map(left.matches, names))]

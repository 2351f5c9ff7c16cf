"""How servers differ from S3: the tests of the contract suite that fail there, and why.

Such a test is expected to fail, so we notice when a new version of the server gets it right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Difference(NamedTuple):
    """Why a test cannot pass on a server.

    Attributes:
        reason: What the server does.
        always: Whether the test always fails there; otherwise it depends on time.
        slow: Whether it would take minutes to fail; then it is not run.
    """

    reason: str
    always: bool = True
    slow: bool = False


Differences = Mapping[str, Difference]

_LONG_SEGMENT = Difference("refuses a path segment of more than 255 bytes: an id or key, escaped")

SEAWEEDFS: Differences = {
    "test_an_execution_with_the_longest_id_can_be_removed": _LONG_SEGMENT,
    "test_awkward_keys_stay_distinct": _LONG_SEGMENT,
    "test_a_name_of_1024_bytes_fits_and_one_more_does_not": _LONG_SEGMENT,
    "test_a_tenant_goes_whole_and_alone": Difference(
        "lists a tenant for some seconds after its last object has gone", always=False
    ),
    "test_a_part_of_the_executions": Difference(
        "lists prefixes in the order of folders' names, S3 in that of the names with their /, so "
        "that what begins behind an execution leaves out those whose names go on with - or ."
    ),
}

_CONDITIONAL_DELETES = (
    "test_only_that_version_is_deleted",
    "test_only_that_version_of_a_snapshot_is_deleted",
    "test_a_value_that_came_back_is_not_deleted_for_the_first_one",
    "test_a_deletion_that_loses_has_what_won_where_it_is_wanted",
    "test_delete_with_a_key_deletes_it_and_without_one_the_execution",
)

CEPH: Differences = {
    **dict.fromkeys(_CONDITIONAL_DELETES, Difference("ignores the condition of a DELETE")),
    "test_a_conditional_write_that_loses": Difference("ignores the condition of a DELETE"),
    "test_of_a_replacement_and_a_deletion_one_wins": Difference(
        "ignores the condition of a DELETE", always=False
    ),
    **dict.fromkeys(
        (
            "test_twenty_writers_of_a_counter_end_exact",
            "test_five_writers_of_a_snapshot_end_exact",
        ),
        Difference(
            "answers 500 to some of those who write one object at once, after which no one can "
            "tell whether they did: their update is a conflict",
            always=False,
        ),
    ),
}

_NO_PAGES = Difference("has no pages, and each write takes longer the more it holds", slow=True)

GCP_EMULATOR: Differences = dict.fromkeys(
    (
        "test_listings_go_over_several_pages",
        "test_a_listing_goes_on_behind_a_page",
        "test_more_tenants_than_a_page",
        "test_more_orphans_than_a_page",
        "test_more_keys_than_a_batch_are_deleted",
    ),
    _NO_PAGES,
)

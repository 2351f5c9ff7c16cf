"""Which test shows which promise; generates the table in tests/README.md.

A case has the number that it has among the twenty-five; promises beyond those have none. A test is
named by its module and name; one of the contract suite, ``contract.versions:test_…``, runs on every
server.
"""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_RACES = "faults.test_expiry_races"
_BESIDE = "faults.test_metadata_and_tags"

EVERYWHERE = "all"
_CLOUDS = ("ministack", "fake-gcs-server", "Azurite")
_SERVERS = {
    "moto": "moto",
    "seaweedfs": "SeaweedFS",
    "seaweedfs+http": "SeaweedFS",
    "s3": "ministack",
    "gcs": "fake-gcs-server",
    "azure": "Azurite",
    "sqlite": "SQLite",
    "memory": "memory",
    "s3+http": "ministack",  # the other engine
    "gcs+http": "fake-gcs-server",
    "azure+http": "Azurite",
}
# Where a module runs that has no parameter for it.
_HOMES = {
    "adapters.azure": "Azurite",
    "consistency.test_ttl_machine": "memory, SQLite, moto",
    "adapters.gcs.test_requests": "fake-gcs-server, gcp-storage-emulator",
    "adapters.gcs": "fake-gcs-server",
    "adapters.local": "SQLite",
    "sync.test_blocking": "memory, SQLite, moto",
    "faults.test_same_errors": "moto, fake-gcs-server, Azurite",
    "consistency.test_linearizable": (
        "memory, SQLite, moto, ministack, SeaweedFS, fake-gcs-server, Azurite"
    ),
    "soak": "SQLite, moto, fake-gcs-server, Azurite",
    "isolation.test_reach": "ministack, fake-gcs-server, Azurite",
    "unit.support.test_secret_scan": "all",
}
_ALONE = "no server"


class Case(NamedTuple):
    """A promise and the tests that show it.

    Attributes:
        number: Its number among the twenty-five, or None.
        promise: What must hold.
        tests: Where it is shown, as ``module:test``.
    """

    number: int | None
    promise: str
    tests: tuple[str, ...]


CASES = [
    Case(
        1,
        "Of twenty concurrent creates one wins, the rest are conflicts",
        (
            "contract.versions:test_of_twenty_creators_one_wins",
            "contract.versions:test_of_twenty_replacers_one_wins",
        ),
    ),
    Case(
        2,
        "A conditional write whose reply is lost: success if ours, an open conflict if replaced; "
        "never done twice",
        (
            "faults.test_lost_replies:*",
            "unit.store.test_objects:test_an_object_that_comes_and_goes_is_a_conflict_in_the_end",
        ),
    ),
    Case(
        3,
        "S3's 409 ConditionalRequestConflict is tried again, never “exists already”",
        ("faults.test_conflicting_requests:*",),
    ),
    Case(
        4,
        "Replacing a stale, malformed or deleted version is the same error everywhere",
        (
            "contract.versions:test_a_version_of_nothing_is_a_conflict",
            "contract.versions:test_the_version_of_a_deleted_object_is_a_conflict",
            "contract.versions:test_a_value_that_came_back_is_not_the_first_one",
            "faults.test_same_errors:test_a_condition_that_fails_though_none_was_sent",
            "faults.test_same_errors:test_a_lost_race_and_an_over_long_name",
        ),
    ),
    Case(
        5,
        "Storms of 429, 503, 500 end by the deadline, with ten tries at most, full jitter, "
        "Retry-After honoured",
        ("faults.test_storms:*",),
    ),
    Case(
        6,
        "Hung connects, handshakes, requests, bodies and name servers end by the deadline",
        ("faults.test_hangs:*",),
    ),
    Case(
        7,
        "A body cut short or altered is fetched (or sent) again, never decoded",
        (
            "faults.test_damaged_bodies:*",
            "adapters.gcs.test_requests:test_the_checksum_of_what_is_written_goes_with_it",
        ),
    ),
    Case(
        8,
        "Failures inside a successful batch delete are retried or named; any number of keys",
        ("faults.test_batches:*", "contract.removal:test_any_number_of_keys"),
    ),
    Case(
        9,
        "Listings over many pages, empty, stale, repeated or malformed pages, deletion meanwhile",
        (
            "faults.test_listings:*",
            "contract.listing:test_listings_go_over_several_pages",
            "contract.listing:test_deleting_while_iterating_skips_nothing",
        ),
    ),
    Case(
        10,
        "A name of 1,024 bytes fits; one of 1,025 is refused before any request",
        (
            "contract.names:test_a_name_of_1024_bytes_fits_and_one_more_does_not",
            "unit.store.test_layout:test_a_whole_name_has_1024_bytes_at_most",
        ),
    ),
    Case(
        11,
        "Dots, slashes and empty segments in keys and ids",
        (
            "contract.names:test_awkward_keys_stay_distinct",
            "contract.names:test_awkward_executions_and_tenants_stay_distinct",
            "contract.bad_input:test_bad_keys",
        ),
    ),
    Case(
        12,
        "Controls, surrogates and the two forms of `é`",
        (
            "contract.names:test_awkward_keys_stay_distinct",
            "contract.bad_input:test_bad_keys",
            "unit.contract.test_segments:test_unicode_forms_stay_distinct",
        ),
    ),
    Case(
        13,
        "What looks encoded comes back exactly, and is not what it would decode to",
        (
            "contract.names:test_awkward_keys_stay_distinct",
            "unit.contract.test_segments:test_any_text_comes_back_from_a_plain_segment",
            "unit.contract.test_segments:test_different_texts_have_different_segments",
        ),
    ),
    Case(
        14,
        "Tenants do not meet, whatever their ids",
        (
            "contract.names:test_pairs_that_join_alike_stay_apart",
            "contract.names:test_a_tenant_cannot_reach_out_of_its_prefix",
            "contract.removal:test_a_tenant_goes_whole_and_alone",
        ),
    ),
    Case(
        15,
        "What is no TTL is refused; what has expired reads as missing at once",
        (
            "contract.ttl:test_what_is_no_ttl_is_refused",
            "contract.ttl:test_a_key_is_readable_exactly_until_it_expires",
            "contract.ttl:test_a_ttl_above_the_largest_class_is_exact_too",
        ),
    ),
    Case(
        16,
        "A TTL is shortened, lengthened, removed by rewriting; a value set again survives a sweep",
        (
            "contract.ttl:test_rewriting_shortens_lengthens_and_removes_a_ttl",
            f"{_RACES}:test_a_rewrite_shortens_lengthens_and_removes_a_ttl",
            f"{_RACES}:test_a_sweep_spares_what_was_written_again",
            "consistency.test_ttl_machine:test_moto",
        ),
    ),
    Case(
        17,
        "A read, or a create, of an expired object spares a fresh write",
        (
            f"{_RACES}:test_a_read_of_an_expired_object_removes_nothing",
            f"{_RACES}:test_a_create_over_an_expired_object_spares_what_was_written_again",
        ),
    ),
    Case(
        18,
        "A bucket that keeps versions: delete, create over the marker, delete twice",
        ("faults.test_versioned_bucket:*",),
    ),
    Case(
        19,
        "Metadata is small, plain ASCII; metadata of others is ignored; a refusal is a typed error",
        (
            f"{_BESIDE}:test_what_is_written_fits_every_service",
            f"{_BESIDE}:test_metadata_that_others_added_is_not_minded",
            f"{_BESIDE}:test_metadata_that_the_service_finds_too_large_is_told",
            f"{_BESIDE}:test_names_of_headers_may_come_in_capitals",
            f"{_BESIDE}:test_capitals_on_the_http_engine",
        ),
    ),
    Case(
        20,
        "One tag an object; services without tags, and a missing right, are named with the remedy",
        (
            f"{_BESIDE}:test_an_object_with_a_ttl_has_one_tag_of_plain_letters",
            f"{_BESIDE}:test_cloud_storage_is_sent_no_tag",
            f"{_BESIDE}:test_s3_without_tags_or_the_right_to_them",
            f"{_BESIDE}:test_azure_without_tags_or_the_right_to_them",
        ),
    ),
    Case(
        21,
        "More than a write a second to one name of Cloud Storage: slow, or `Throttled`",
        (
            "faults.test_write_rate:*",
            "unit.store.test_writer:test_saves_leave_the_service_its_interval",
        ),
    ),
    Case(
        22,
        "Refused, expired, renewed credentials and missing buckets have errors of their own; "
        "no bucket is created",
        (
            "faults.test_credentials:*",
            "faults.test_same_errors:test_one_mistake_one_error",
            "faults.test_same_errors:test_a_certificate_that_no_one_vouches_for_is_told_at_once",
        ),
    ),
    Case(
        23,
        "Cancelled at any await or request: the old value or the new, nothing left open",
        (
            "faults.test_cancellation:*",
            "unit.store.test_limiter:test_a_cancelled_call_leaves_its_place_to_the_next",
        ),
    ),
    Case(
        24,
        "What is corrupt or of a later format is `CorruptObject`: not None, not deleted",
        (
            "contract.corrupt:test_a_corrupt_snapshot_is_said_to_be_and_stays",
            "contract.corrupt:test_a_corrupt_owner_record_leads_to_its_execution",
            "contract.corrupt:test_a_corrupt_value",
        ),
    ),
    Case(
        25,
        "A caller's client stays open; no secret is shown; loops, threads, forks and freezes",
        (
            "adapters.azure.test_clients:test_a_client_of_the_callers",
            "adapters.azure.test_secrets:test_no_secret_is_shown",
            "adapters.gcs.test_threads:test_a_client_of_the_callers_is_left_open",
            "adapters.gcs.test_loops:test_a_forked_process_shares_no_connection",
            "functions.test_loops:test_one_store_serves_three_runs",
            "functions.test_loops:test_one_store_serves_two_threads_at_once",
            "functions.test_loops:test_connections_that_died_in_a_freeze_are_no_error",
            "faults.test_thawing:*",
            "sync.test_blocking:test_a_process_may_fork_and_exit_without_closing",
        ),
    ),
    Case(
        None,
        "A removal interrupted at any request is finished by the next run, with nothing lost",
        ("faults.test_interrupted_removal:*",),
    ),
    Case(
        None,
        "A process killed in the middle of a save leaves the last snapshot or the next",
        (
            "faults.test_killed:*",
            "adapters.local.test_processes:test_a_kill_leaves_the_old_or_the_new_snapshot",
        ),
    ),
    Case(
        None,
        "Concurrent loads, saves and deletes have an order that explains what each saw",
        ("consistency.test_linearizable:*", "consistency.test_checker:*"),
    ),
    Case(
        None,
        "Under mixed load with faults nothing is lost or mixed, memory and sockets stay flat",
        ("soak.test_soak:*",),
    ),
    Case(
        None,
        "A tenant's view names nothing but its own on the wire, in any public call",
        ("isolation.test_reach:*",),
    ),
    Case(
        None,
        "What an argument cannot be is a typed error before any request, in any public call",
        (
            "unit.test_bad_input:*",
            "adapters.test_bad_options:*",
            "integrations.test_bad_input:*",
            "cli.test_bad_usage:*",
        ),
    ),
    Case(
        None,
        "Any stored bytes, file, URL or answer gives a value or a typed error",
        ("isolation.test_decoding:*",),
    ),
    Case(
        None,
        "No credential in logs, errors, reprs, warnings or output of the whole test run",
        ("unit.support.test_secret_scan:*",),
    ),
]


def found(test: str) -> list[Any]:
    """The functions that a name of the table stands for; empty if there are none."""
    place, _, name = test.partition(":")
    if place.startswith("contract."):
        module = import_module(f"statebucket.testing.{place}")
        holders: list[Any] = [kind for _, kind in getmembers(module, isclass)]
    else:
        module = import_module(place)
        holders = [module]
    names = [name] if name != "*" else [one for one in vars(module) if one.startswith("test_")]
    return [getattr(holder, one) for holder in holders for one in names if hasattr(holder, one)]


def servers(tests: Iterable[str]) -> str:
    """The servers that tests run on, as the page names them."""
    names: list[str] = []
    for test in tests:
        if test.startswith("contract."):
            return EVERYWHERE
        place = test.partition(":")[0]
        params = [param for function in found(test) for param in _parameters(place, function)]
        if params:
            names += params
        else:
            home = next((_HOMES[key] for key in _HOMES if place.startswith(key)), None)
            names += (home or _ALONE).split(", ")
    strict = not place.startswith("functions.")  # these use fake-gcs-server as it is
    if strict and set(_CLOUDS) <= set(names):
        names = [*(name for name in names if name not in _CLOUDS), "clouds"]
    return ", ".join(dict.fromkeys(names))


def _parameters(place: str, function: Any) -> list[str]:
    """The servers of the places and clouds that a test is parametrised with."""
    module = import_module(place)
    marks = [*getattr(function, "pytestmark", ())]
    own = getattr(module, "pytestmark", [])
    marks += own if isinstance(own, list) else [own]
    found_here = []
    for mark in marks:
        if mark.name == "parametrize" and mark.args[0] in {"cloud", "place"}:
            found_here += [_SERVERS[param] for param in mark.args[1]]
    return found_here


def rendered() -> str:
    """The table, in Markdown."""
    lines = ["| | promise | tested in, on |", "|---|---|---|"]
    for case in CASES:
        by_file: dict[str, list[str]] = {}
        for test in case.tests:
            by_file.setdefault(_file(test), []).append(test)
        where = [f"{file}: {servers(tests)}" for file, tests in by_file.items()]
        lines.append(f"| {case.number or ''} | {case.promise} | {'<br>'.join(where)} |")
    return "\n".join(lines) + "\n"


def _file(test: str) -> str:
    """A link to the module of a test, with as few words as tell it."""
    place, _, _ = test.partition(":")
    if place.startswith("contract."):
        name = place.removeprefix("contract.")
        return f"[contract/{name}](../core/statebucket/testing/contract/{name}.py)"
    folder, _, module = place.rpartition(".")
    folder = folder.replace(".", "/")
    return f"[{folder}/{module.removeprefix('test_')}]({folder}/{module}.py)"

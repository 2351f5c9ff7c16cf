"""What a cold start loads: nothing that its first load does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.competing_processes import environ

BASE = "import asyncio, msgspec, sys; before = set(sys.modules); "
SAY = "; print(*sorted(set(sys.modules) - before))"
SDKS = {"aioboto3", "aiobotocore", "aiohttp", "azure", "boto3", "botocore", "google", "requests"}
# What the standard library's modules in use bring along; each costs a millisecond or two.
FEW = {"copy", "ipaddress", "org", "urllib"}
LATER = {"cleanup", "leases", "lifecycle", "sweep", "writer"}


def loaded(code: str) -> set[str]:
    """The modules that code loads, beyond asyncio and msgspec."""
    run = subprocess.run(
        [sys.executable, "-c", BASE + code + SAY],
        env=environ({}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_the_import_brings_few_modules_along() -> None:
    modules = loaded("import statebucket")
    assert {name.partition(".")[0] for name in modules} <= {"statebucket", *FEW}
    assert not modules & {f"statebucket.{name}" for name in LATER}


@pytest.mark.parametrize("url", ["sqlite:///x.db", "memory://"])
def test_the_embedded_default_loads_no_sdk(url: str) -> None:
    modules = loaded(f"import statebucket; statebucket.open_store({url!r})")
    assert not {name.partition(".")[0] for name in modules} & SDKS


@pytest.mark.parametrize(
    ("url", "others"),
    [
        ("s3://bucket/x", {"aioboto3", "boto3", "azure", "google"}),
        ("gs://bucket?anonymous=true", {"aiohttp", "botocore", "azure"}),
        ("gs://bucket?anonymous=true&engine=http", SDKS),
        ("az://container?account=account1&engine=http", SDKS),
    ],
)
def test_a_scheme_loads_its_own_sdk_only(url: str, others: set[str]) -> None:
    modules = loaded(f"import statebucket; statebucket.open_store({url!r})")
    assert not {name.partition(".")[0] for name in modules} & others

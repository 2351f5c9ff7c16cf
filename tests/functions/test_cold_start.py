"""A cold start loads nothing that its first load does not need."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.competing_processes import environ

if TYPE_CHECKING:
    from support.places import Place

BASE = "import asyncio, msgspec, sys; before = set(sys.modules); "
SAY = "; print(*sorted(set(sys.modules) - before))"
SDKS = {"aioboto3", "aiobotocore", "aiohttp", "azure", "boto3", "botocore", "google", "requests"}
# What a first load can do without, on whatever service: each costs a cold start .1 to 3 ms.
SLOW = {"email", "inspect", "ipaddress", "json", "logging", "pathlib", "queue", "random", "urllib"}
LATER = {
    "statebucket.admin",
    "statebucket.contract.entries",
    "statebucket.contract.execution",
    "statebucket.contract.lease",
    "statebucket.contract.lifecycle",
    "statebucket.contract.partition",
    "statebucket.contract.remedies",
    "statebucket.contract.reports",
    "statebucket.contract.stats",
    "statebucket.contract.writer",
    "statebucket.lifecycle",
    "statebucket.port.endpoint",
    "statebucket.port.findings",
    "statebucket.port.lifecycle",
    "statebucket.port.remedies",
    "statebucket.store.extent",
    "statebucket.store.lease_block",
    "statebucket.store.leases",
    "statebucket.store.page_check",
    "statebucket.store.removal",
    "statebucket.store.selection",
    "statebucket.store.sweep",
    "statebucket.store.writer",
}


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
    assert {name.partition(".")[0] for name in modules} == {"statebucket"}
    assert not modules & LATER


LOAD = """
import re, sys
sys.modules["typing_extensions"] = None  # msgspec imports it where it is installed
import {base}
import collections
del sys.modules["typing_extensions"]
before = set(sys.modules)
made = []

def watched(name, function):
    def call(*args, **kwargs):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] in {{"re", "typing"}}:
            frame = frame.f_back
        if frame.f_globals["__name__"].startswith("statebucket"):
            made.append(f"{{name}} of {{frame.f_globals['__name__']}}:{{frame.f_lineno}}")
        return function(*args, **kwargs)
    return call

for name in ("compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub"):
    setattr(re, name, watched(f"re.{{name}}", getattr(re, name)))
collections.namedtuple = watched("NamedTuple", collections.namedtuple)
{code}
print(*sorted(set(sys.modules) - before))
print(*made, sep="\\n")
"""
CALLS = {
    "async": """
import asyncio
from statebucket import open_store
store = open_store(sys.argv[1]).tenant("acme")
async def main():
    assert (await store.load_snapshot("e1")).sequence_number == 7
asyncio.run(main())
""",
    "blocking": """
from statebucket.sync import open_store
store = open_store(sys.argv[1]).tenant("acme")
assert store.load_snapshot("e1").sequence_number == 7
""",
}
BASES = {"async": "asyncio, msgspec", "blocking": "msgspec"}
BRINGS = {  # what the way to a service takes beyond that
    ("sqlite", "async"): {"queue"},  # its threads' pool
    ("s3", "async"): {"statebucket.port.endpoint"},
    ("s3+http", "async"): {"statebucket.port.endpoint"},
    ("s3+http", "blocking"): {"statebucket.port.endpoint"},
    ("gcs+http", "blocking"): {"statebucket.port.endpoint"},
    ("azure+http", "blocking"): {"statebucket.port.endpoint"},
}
SLOWER = {"importlib.util", "pyexpat", "statebucket_http.bodies", "xml"}
LATER_ON = {
    "s3": {
        "statebucket_s3.findings",
        "statebucket_s3.http",
        "statebucket_s3.lifecycle",
        "statebucket_s3.remedies",
    },
    "gcs+http": {*SLOWER, "statebucket_gcs.lifecycle", "statebucket_gcs.remedies"},
    "azure+http": {*SLOWER, "statebucket_azure.lifecycle", "statebucket_azure.remedies"},
    "s3+http": {
        *SLOWER,
        "statebucket.port.retry_after",
        "statebucket_s3.http.xml_documents",
        "statebucket_s3.batch",
        "statebucket_s3.lifecycle",
        "statebucket_s3.listing",
        "statebucket_s3.remedies",
        "statebucket_s3.sdk",
    },
}


@pytest.mark.parametrize(
    ("place", "way"),
    [
        ("sqlite", "async"),
        ("sqlite", "blocking"),
        ("s3", "async"),
        ("s3+http", "async"),
        ("s3+http", "blocking"),
        ("gcs+http", "blocking"),
        ("azure+http", "blocking"),
    ],
    indirect=["place"],
)
def test_a_first_load_takes_no_more_than_it_needs(
    place: Place, way: str, request: pytest.FixtureRequest
) -> None:
    service = request.node.callspec.params["place"]
    with place.blocking() as store:
        acme = store.tenant("acme")
        acme.save_snapshot(acme.snapshot("e1", sequence_number=7))
    code = LOAD.format(base=BASES[way], code=CALLS[way])
    run = subprocess.run(
        [sys.executable, "-c", code, place.url],
        env=environ(place.environ),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    modules, *made = run.stdout.splitlines()
    unneeded = LATER | LATER_ON.get(service, set())
    if service != "s3":  # the SDK has them all
        unneeded |= SLOW
        # Each takes .2 ms and more to make.
        assert [line for line in made if line] == []
    assert set(modules.split()) & unneeded == BRINGS.get((service, way), set())


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

"""The benchmark's server passes the contract suite through our adapters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from benchmarks.server.process import ACCOUNT, KEY, running
from statebucket.testing.contract.keys import KeyContract
from statebucket.testing.contract.snapshots import SnapshotContract
from support.servers import Server, Service
from support.targets.azure import AzureTarget, raw_container
from support.targets.gcs import GCSTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server.process import Server as BenchServer


class Main(KeyContract, SnapshotContract):
    """What the benchmark relies on."""


def known(bench: BenchServer, service: Service) -> Server:
    """One of its services, as the targets know servers."""
    url = bench.url(service).removesuffix(f"/{ACCOUNT}")
    return Server(name="bench", service=service, url=url, access_key=ACCOUNT, secret_key=KEY, pid=0)


@pytest.fixture(scope="module")
def bench() -> Iterator[BenchServer]:
    with running() as server:
        yield server


class TestS3(Main):
    @pytest.fixture
    def target(self, bench: BenchServer) -> S3Target:
        server = known(bench, "s3")
        return S3Target(server, raw_client(server))


class TestGCS(Main):
    @pytest.fixture
    def target(self, bench: BenchServer) -> GCSTarget:
        return GCSTarget(bench.url("gcs"))


class TestAzure(Main):
    @pytest.fixture
    def target(self, bench: BenchServer) -> AzureTarget:
        server = known(bench, "azure")
        return AzureTarget(server, raw_container(server))


def test_an_answer_has_the_fields_that_were_asked_for(bench: BenchServer) -> None:
    bench.seed("gcs", "fields/{}", 2)
    listing = f"{bench.url('gcs')}/storage/v1/b/bench/o?prefix=fields/"

    with urlopen(f"{listing}&fields=items(name,size)", timeout=10) as reply:
        some = json.load(reply)
    with urlopen(listing, timeout=10) as reply:
        everything = json.load(reply)

    assert some == {"items": [{"name": "fields/0", "size": "1"}, {"name": "fields/1", "size": "1"}]}
    assert {"kind", "generation", "timeCreated"} <= set(everything["items"][0])

"""The table of requests per call in core/README.md matches the counts on the wire."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from generators.pages import REQUESTS
from generators.request_table import measure, rendered
from support.fault_proxy.proxy import FaultProxy
from support.targets.azure import AzureTarget, raw_container
from support.targets.gcs import GCSTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from support.servers import Server


@pytest.mark.asyncio
async def test_the_page_says_what_is_counted(moto: Server, fake: Server, azurite: Server) -> None:
    with (
        raw_container(azurite) as raw,
        FaultProxy(moto.host, moto.port) as s3,
        FaultProxy(fake.host, fake.port, rewrite_host=fake.netloc) as gcs,
        FaultProxy(azurite.host, azurite.port) as azure,
    ):
        measured = {
            "S3": await measure(S3Target(moto, raw_client(moto), s3)),
            "GCS": await measure(GCSTarget(fake.url, gcs, counted=True)),
            "Azure": await measure(AzureTarget(azurite, raw, azure)),
        }
    table = rendered(measured)
    if os.environ.get("UPDATE_PAGES"):
        REQUESTS.write(table)
    assert REQUESTS.stored() == table, "run `make request-table`"

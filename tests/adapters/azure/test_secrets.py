"""No key or signature appears in error texts, causes, reprs and logs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from adapters.azure.test_port import write
from statebucket import errors
from statebucket.port.expiry import Expiry
from support.error_texts import texts
from support.fault_proxy.proxy import Answer, CutBody, DropReply, HangBeforeReply, azure_error
from support.targets.azure import open_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server

# What the service says of a signature that is wrong: it quotes the right one.
REFUSAL = b"""<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code>
<AuthenticationErrorDetail>The MAC signature found in the HTTP request 'c2VjcmV0LXNpZw==' is not the
same as any computed signature.</AuthenticationErrorDetail></Error>"""
FAULTS = (
    Answer(
        403,
        (("x-ms-error-code", "AuthenticationFailed"), ("Content-Type", "application/xml")),
        REFUSAL,
    ),
    azure_error(500, "InternalError"),
    azure_error(400, "InvalidHeaderValue"),
    DropReply(),
    CutBody(after_bytes=1),
    HangBeforeReply(),
    # aiohttp's error for it quotes the whole URL.
    Answer(200, (("Content-Type", "application/xml"), ("Content-Length", "x")), b"<a>"),
)


def with_key(server: Server, _: str) -> tuple[str, str]:
    """A secret, and a connection string that holds it."""
    return server.secret_key, server.connection_string


def with_sas(server: Server, container: str) -> tuple[str, str]:
    """A secret, and a connection string that holds it."""
    sas = generate_container_sas(
        server.access_key,
        container,
        account_key=server.secret_key,
        permission=ContainerSasPermissions.from_string("rwdltc"),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    secret = sas.partition("sig=")[2].partition("&")[0]
    return secret, f"BlobEndpoint={server.account_url};SharedAccessSignature={sas}"


@pytest.mark.asyncio
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("how", [with_key, with_sas])
async def test_no_secret_is_shown(
    azurite: Server,
    proxy: FaultProxy,
    raw: ContainerClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: Callable[[Server, str], tuple[str, str]],
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, text = how(azurite.via(proxy.url), raw.container_name)
    assert secret
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    bucket = open_at(raw.container_name, {}, deadline=3.0, max_in_flight=4)
    # It works, with this credential.
    await bucket.put(write("a", expiry=Expiry(1, 4)), None)
    assert [done.existed for done in await bucket.delete_many(["a", "b"])] == [True, False]
    shown = [repr(bucket), repr(vars(bucket)), *await provoked(bucket, proxy)]
    await bucket.close()
    assert len(shown) > 2 * 4 * len(FAULTS)
    everything = "\n".join([*shown, caplog.text])
    assert secret not in everything
    assert "c2VjcmV0LXNpZw==" not in everything


async def provoked(bucket: Bucket, proxy: FaultProxy) -> list[str]:
    """All that errors of all kinds say."""
    shown: list[str] = []
    for fault in FAULTS:
        for call in (
            lambda: bucket.get("a"),
            lambda: bucket.put(write("a"), None),
            lambda: bucket.list("", after=None, limit=5),
            lambda: bucket.delete_many(["a"]),
        ):
            proxy.plan(fault)
            try:
                await call()
            except errors.StateBucketError as error:
                shown += texts(error)
            assert proxy.pending == ()
    return shown

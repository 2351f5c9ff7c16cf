"""Requests with a token, over TLS: each request and each part of a batch has it."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import pytest
from azure.core.credentials import AccessToken

from adapters.azure.test_port import write
from statebucket.errors import InvalidCredentials
from support.fault_proxy.proxy import Answer, FaultProxy, azure_error, on
from support.targets.azure import open_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket.port.bucket import Bucket

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("engine")]

BATCH = (
    "\r\n".join(
        f"--r\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
        "HTTP/1.1 202 Accepted\r\nx-ms-delete-type-permanent: true\r\n"
        for number in range(3)
    )
    + "\r\n--r--\r\n"
)
PAGE = (
    '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults '
    'ServiceEndpoint="https://a.blob.core.windows.net/" ContainerName="container"><Blobs />'
    "<NextMarker /></EnumerationResults>"
)


class Identity:
    """A credential, as those of ``azure.identity.aio``."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        self.asked += 1
        return AccessToken(f"t-{self.asked}", int(time.time()) + 3600)


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A service that speaks TLS and is trusted."""
    with FaultProxy("127.0.0.1", 1, tls="untrusted") as proxy:
        issuer = tmp_path / "ca.pem"
        issuer.write_bytes(proxy.ca_pem or b"")
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer))
        # aiohttp has read that variable when it was imported.
        trusting = ssl.create_default_context(cafile=str(issuer))
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        yield proxy


def bucket_at(proxy: FaultProxy, identity: Identity) -> Bucket:
    options = {"endpoint_url": f"{proxy.url}/account1", "credential": identity}
    return open_at("container", options)


async def test_each_request_and_each_part_of_a_batch_has_the_token(secure: FaultProxy) -> None:
    etag = ("ETag", '"0x8D"')
    for method, reply in (
        ("PUT", Answer(201, (etag,))),
        ("GET", Answer(200, (("Content-Type", "application/xml"),), PAGE.encode())),
        ("DELETE", Answer(202)),
        ("POST", Answer(202, (("Content-Type", "multipart/mixed; boundary=r"),), BATCH.encode())),
    ):
        secure.always(Answer(reply.status, reply.headers, reply.body, when=on(method)))
    bucket = bucket_at(secure, Identity())
    await bucket.put(write("a"), None)
    await bucket.list("", after=None, limit=1)
    await bucket.delete("a")
    done = await bucket.delete_many(["a", "b", "c"])
    assert [one.existed for one in done] == [True] * 3
    assert {request.header("authorization") for request in secure.requests} == {"Bearer t-1"}
    parts = secure.requests[-1].body.decode().split("DELETE /account1/container/")[1:]
    assert len(parts) == 3
    assert all("authorization: bearer t-1\r\n" in part.lower() for part in parts)
    await bucket.close()


async def test_a_token_that_is_refused_is_an_error_of_its_own(secure: FaultProxy) -> None:
    challenge = (
        "Bearer authorization_uri=https://login.microsoftonline.com/tenant-1/oauth2/authorize "
        "resource_id=https://storage.azure.com"
    )
    refused = azure_error(401, "InvalidAuthenticationInfo")
    headers = (*refused.headers, ("WWW-Authenticate", challenge))
    secure.always(Answer(401, headers, refused.body))
    identity = Identity()
    bucket = bucket_at(secure, identity)
    for call in (
        lambda: bucket.get("a"),
        lambda: bucket.put(write("a"), None),
        lambda: bucket.delete_many(["a"]),
    ):
        with pytest.raises(InvalidCredentials):
            await call()
    await bucket.close()

"""Bodies over TLS, which protects them: no MD5 is computed, but each must be complete."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.port.bucket import Location, Write
from statebucket_azure import open_bucket_over_http
from support.fault_proxy.proxy import (
    Answer,
    AnswerWith,
    CutBody,
    DripBody,
    FaultProxy,
    Reply,
    Together,
)
from support.servers import AZURE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Fault

pytestmark = pytest.mark.asyncio

BODY = b"a body that is long enough"
ETAG = ("ETag", '"0x8D"')


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A service that speaks TLS and is trusted."""
    with FaultProxy("127.0.0.1", 1, tls="untrusted") as proxy:
        issuer = tmp_path / "ca.pem"
        issuer.write_bytes(proxy.ca_pem or b"")
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer))
        yield proxy


def bucket_at(proxy: FaultProxy) -> Bucket:
    options = {
        "endpoint_url": f"{proxy.url}/account1",
        "account": "account1",
        "account_key": AZURE_KEY,
    }
    return open_bucket_over_http(Location("az", "container", "", options, 10.0, 4)).bucket


def md5_of(body: bytes) -> tuple[str, str]:
    return "Content-MD5", b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def unframed(header: tuple[str, str]) -> Fault:
    """An answer whose body ends with the connection, as behind an old proxy."""
    reply = Reply(200, (ETAG, header), BODY, framed=False)
    return Together((AnswerWith(lambda _: reply), DripBody(0)))


async def test_a_blob_is_sent_without_an_md5(secure: FaultProxy) -> None:
    secure.always(Answer(201, headers=(ETAG,)))
    await bucket_at(secure).put(Write("k", BODY, "text/plain", {}, None), None)
    (request,) = secure.requests
    assert request.header("content-md5") is None
    assert request.body == BODY


async def test_a_blob_is_not_compared_with_its_md5_when_its_length_is_known(
    secure: FaultProxy,
) -> None:
    secure.always(Answer(200, headers=(ETAG, md5_of(b"another")), body=BODY))
    found = await bucket_at(secure).get("k")
    assert found is not None
    assert found.body == BODY


@pytest.mark.parametrize("fault", [CutBody(3), CutBody(3, reset=True)], ids=repr)
async def test_a_blob_that_is_cut_short_is_not_returned(secure: FaultProxy, fault: CutBody) -> None:
    secure.always(Together((Answer(200, headers=(ETAG,), body=BODY), fault)))
    with pytest.raises(errors.Unavailable):
        await bucket_at(secure).get("k")


@pytest.mark.parametrize("stated", [md5_of(b"another"), ("x", "y")], ids=["another md5", "no md5"])
async def test_a_blob_that_ends_with_the_connection_needs_its_md5(
    secure: FaultProxy, stated: tuple[str, str]
) -> None:
    secure.always(unframed(stated))
    with pytest.raises(errors.Unavailable):
        await bucket_at(secure).get("k")
    secure.heal()
    secure.always(unframed(md5_of(BODY)))
    found = await bucket_at(secure).get("k")
    assert found is not None
    assert found.body == BODY

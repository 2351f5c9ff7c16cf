"""A blocking store that several threads use first, at the same time."""

from __future__ import annotations

import base64
import threading
from typing import NamedTuple

import pytest

from adapters.http.peer import Peer, answer
from statebucket.sync import open_store
from support.meanwhile import in_threads


class Cloud(NamedTuple):
    """A service that has nothing.

    Attributes:
        url: Of a store on it, without the port.
        headers: What says that there is no object.
        body: What says so.
    """

    url: str
    headers: str
    body: str


CLOUDS = {
    "s3": Cloud(
        "s3://bucket?engine=http&region=us-east-1&endpoint_url=http://127.0.0.1:",
        "Content-Type: application/xml",
        "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>",
    ),
    "gcs": Cloud(
        "gs://bucket?engine=http&anonymous=true&endpoint_url=http://127.0.0.1:",
        "Content-Type: application/json",
        '{"error":{"code":404,"message":"no such object","errors":[{"reason":"notFound"}]}}',
    ),
    "azure": Cloud(
        "az://container?engine=http&account=acme&endpoint_url=http://127.0.0.1:",
        "x-ms-error-code: BlobNotFound\r\nContent-Type: application/xml",
        "<Error><Code>BlobNotFound</Code></Error>",
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_connection_is_lost(monkeypatch: pytest.MonkeyPatch, cloud: str) -> None:
    key = base64.b64encode(b"key").decode()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret-key")
    url, headers, body = CLOUDS[cloud]
    reply = f"HTTP/1.1 404 Not Found\r\n{headers}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    for _ in range(50):
        with Peer(answer(reply.encode())) as peer:
            monkeypatch.setenv(
                "AZURE_STORAGE_CONNECTION_STRING",
                f"DefaultEndpointsProtocol=http;AccountName=acme;AccountKey={key};"
                f"BlobEndpoint=http://127.0.0.1:{peer.port}/acme",
            )
            found = _used_first(f"{url}{peer.port}", peer)
        assert found == [None] * 8


def _used_first(url: str, peer: Peer) -> list[bytes | None]:
    store, ready = open_store(url, deadline=60), threading.Barrier(4)
    found: list[bytes | None] = []

    def twice() -> None:
        ready.wait(60)
        found.extend(store.get("k") for _ in range(2))

    in_threads(4, twice)
    assert peer.accepted <= 4
    store.shutdown()
    assert peer.until(lambda: not peer.open)
    return found

"""Buckets of the servers: through the adapter, and around it."""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import threading
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from google.cloud.storage import Client  # type: ignore[import-untyped]

from statebucket.port.bucket import JSON, Location, Write
from statebucket_gcs import open_bucket, open_bucket_over_http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statebucket.port.expiry import Expiry
    from statebucket_gcs.bucket import GCSBucket

_open: list[GCSBucket | Around] = []


class Around:
    """A new bucket, used around the adapter, so that a bug cannot hide behind itself.

    Args:
        url: The server.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.bucket = f"bucket-{uuid.uuid4().hex}"
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        _open.append(self)
        self.ask("POST", "/storage/v1/b?project=test", {"name": self.bucket})

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request of the JSON API and read the reply; None if there is nothing."""
        data = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, data, JSON)
        return json.loads(answer) if answer else None

    def resource(self, name: str) -> Any:
        """Read an object's description."""
        return self.ask("GET", self._path(name))

    def names(self, prefix: str = "") -> list[str]:
        """List the names of all objects below a prefix."""
        found: list[str] = []
        query = {"prefix": prefix}
        while True:
            page = self.ask("GET", f"/storage/v1/b/{self.bucket}/o?{urlencode(query)}")
            found += [item["name"] for item in page.get("items", ())]
            if not page.get("nextPageToken"):
                return found
            query["pageToken"] = page["nextPageToken"]

    def read(self, name: str) -> bytes | None:
        """Read an object's body."""
        return self._send("GET", f"{self._path(name)}?alt=media")

    def write(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Store an object."""
        edge = secrets.token_hex(8).encode()
        head = json.dumps({"name": name, "metadata": dict(metadata or {})}).encode()
        parts = [b"content-type: application/json\r\n\r\n" + head]
        parts += [b"content-type: application/octet-stream\r\n\r\n" + body]
        data = b"".join(b"--%s\r\n%s\r\n" % (edge, part) for part in parts) + b"--%s--" % edge
        path = f"/upload/storage/v1/b/{self.bucket}/o?uploadType=multipart"
        self._send("POST", path, data, f"multipart/related; boundary={edge.decode()}")

    def _path(self, name: str) -> str:
        return f"/storage/v1/b/{self.bucket}/o/{quote(name, safe='')}"

    def _send(
        self, method: str, path: str, body: bytes | None = None, content_type: str = JSON
    ) -> bytes | None:
        connection = self._connection()
        connection.request(method, path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status == 404:
            return None
        assert answer.status in {200, 204}, (answer.status, data)
        return data

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
            self._local.connection = found
            self._connections.append(found)
        return found

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


Opened: TypeAlias = "Callable[..., GCSBucket]"
ENGINES = {"sdk": open_bucket, "http": open_bucket_over_http}


def opened(
    url: str,
    bucket: str,
    *,
    engine: str = "sdk",
    deadline: float = 10.0,
    max_in_flight: int = 32,
    **options: object,
) -> GCSBucket:
    """Open a bucket of a server."""
    if "client" not in options:
        options = {"endpoint_url": url, "anonymous": "true"} | options
    found = ENGINES[engine](Location("gs", bucket, "", options, deadline, max_in_flight)).bucket
    _open.append(found)  # type: ignore[arg-type]
    return found  # type: ignore[return-value]


def with_credentials(credentials: Any, url: str, engine: str) -> dict[str, Any]:
    """Give the options of a bucket that is opened with the caller's credentials."""
    if engine == "http":
        return {"credentials": credentials, "endpoint_url": url, "anonymous": False}
    client = Client("p", credentials=credentials, client_options={"api_endpoint": url})
    return {"client": client}


def close_all() -> None:
    """Close all that was opened."""
    while _open:
        asyncio.run(_open.pop().close())


def write(name: str, body: bytes = b"{}", expiry: Expiry | None = None) -> Write:
    """Make an object to write."""
    return Write(name, body, JSON, {"writeid": "0123456789abcdef"}, expiry)

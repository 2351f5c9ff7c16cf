"""A container on Azurite, inspected through the SDK's blocking client."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient, generate_container_sas

from statebucket import StateStore, open_store
from statebucket.port.bucket import Location
from statebucket.testing import RawObject, Target
from statebucket_azure import open_bucket, open_bucket_over_http
from support.targets.many import put_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server


def raw_container(server: Server) -> ContainerClient:
    """A new container, through a client that connects directly to the server."""
    service = BlobServiceClient.from_connection_string(server.connection_string)
    return service.create_container(f"c-{uuid4().hex}")


def credential(server: Server) -> AzureNamedKeyCredential:
    """The emulator's key."""
    return AzureNamedKeyCredential(server.access_key, server.secret_key)


def open_at(
    container: str, options: Mapping[str, Any], *, deadline: float = 10.0, max_in_flight: int = 32
) -> Bucket:
    """The adapter on a container, with the engine that the environment names."""
    engines = {"sdk": open_bucket, "http": open_bucket_over_http}
    location = Location("az", container, "", dict(options), deadline, max_in_flight)
    return engines[os.environ.get("STATEBUCKET_ENGINE", "sdk")](location).bucket


def opened(
    server: Server,
    container: str,
    *,
    deadline: float = 10.0,
    max_in_flight: int = 32,
    **options: object,
) -> Bucket:
    """The adapter on a container of a server, or of a server seen through a proxy."""
    if "client" not in options:
        defaults = {"endpoint_url": server.account_url, "credential": credential(server)}
        options = defaults | options
    return open_at(container, options, deadline=deadline, max_in_flight=max_in_flight)


class AzureTarget(Target):
    """A prefix of its own in a container.

    Args:
        server: Where the container is.
        raw: A blocking client of the container, which connects directly to the server.
        proxy: What the store's requests go through, to be counted; None goes straight.
        engine: The store's engine.
    """

    def __init__(
        self,
        server: Server,
        raw: ContainerClient,
        proxy: FaultProxy | None = None,
        engine: str = "sdk",
    ) -> None:
        super().__init__()
        self.server = server if proxy is None else server.via(proxy.url)
        self.raw = raw
        self.proxy = proxy
        self.engine = engine
        self.prefix = f"{uuid4().hex}/state/"

    @property
    def url(self) -> str:
        """The store's URL."""
        return (
            f"az://{self.raw.container_name}/{self.prefix[:-1]}"
            f"?account={self.server.access_key}&endpoint_url={self.server.account_url}"
            f"&engine={self.engine}"
        )

    def open(self, **options: Any) -> StateStore:
        # Azurite takes some 4 ms for each object of a batch, and its batches one after the other;
        # on a busy machine a batch of 256 has taken 20 s, a third of a minute's deadline.
        defaults: dict[str, Any] = {"clock": self.clock, "deadline": 120.0}
        defaults["credential"] = credential(self.server)
        return open_store(self.url, **(defaults | options))

    def raw_names(self) -> list[str]:
        names = self.raw.list_blob_names(name_starts_with=self.prefix)
        return sorted(name.removeprefix(self.prefix) for name in names)

    def raw_get(self, name: str) -> RawObject | None:
        try:
            found = self.raw.download_blob(self.prefix + name)
        except ResourceNotFoundError:
            return None
        return RawObject(found.readall(), found.properties.metadata)

    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self.raw.upload_blob(
            self.prefix + name, body, overwrite=True, metadata=dict(metadata or {})
        )

    def raw_put_many(self, names: Iterable[str], body: bytes = b"v") -> None:
        signature = generate_container_sas(
            self.server.access_key,
            self.raw.container_name,
            account_key=self.server.secret_key,
            permission="w",
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        container = urlsplit(self.raw.url).path

        def put(name: str) -> tuple[str, dict[str, str]]:
            path = f"{container}/{quote(self.prefix + name, safe='/~')}?{signature}"
            return path, {"x-ms-blob-type": "BlockBlob"}

        put_all(self.server.account_url, map(put, names), body)

    def requests(self) -> int | None:
        if self.proxy is None:
            return None
        count = self.proxy.count()
        self.proxy.clear()
        return count

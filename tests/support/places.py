"""A place for a store on each service, behind a proxy that breaks its connections."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, StateStore, TenantId
from statebucket import open_store as open_async
from statebucket.sync import open_store as open_blocking
from support.fault_proxy.proxy import FaultProxy
from support.targets.azure import AzureTarget, credential, raw_container
from support.targets.gcs import GCSTarget
from support.targets.gcs_bucket import close_all
from support.targets.local import SQLiteTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket.sync import BlockingStateStore
    from support.servers import Server

E1 = ExecutionId("e1")
ACME = TenantId("acme")
SERVICES = ("sqlite", "s3", "s3+http", "gcs", "gcs+http", "azure", "azure+http")
REMOTE = ("s3", "s3+http", "gcs", "gcs+http", "azure", "azure+http")


def snapshot(number: int, execution_id: str = E1, **fields: Any) -> ExecutionSnapshot:
    """A running execution's snapshot."""
    return ExecutionSnapshot(
        execution_id=ExecutionId(execution_id),
        tenant_id=ACME,
        state=ExecutionState.RUNNING,
        sequence_number=number,
        **fields,
    )


@dataclass
class Place:
    """Where the stores of one test keep their objects.

    Attributes:
        service: The service's name.
        url: The store's URL, through the proxy if there is one.
        environ: The environment variables that another process needs to reach it.
        proxy: The proxy that requests go through.
        options: Options for a store in this process, besides the URL.
    """

    service: str
    url: str
    environ: dict[str, str] = field(default_factory=dict)
    proxy: FaultProxy | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def open(self, **options: Any) -> StateStore:
        """Open a store here."""
        return open_async(self.url, **(self.options | options))

    def blocking(self, **options: Any) -> BlockingStateStore:
        """Open a blocking store here."""
        return open_blocking(self.url, **(self.options | options))


@contextmanager
def place_on(service: str, server: Server | None, folder: Path) -> Iterator[Place]:
    """Make a place that no other test uses.

    Args:
        service: Its name: "memory", "sqlite", "s3", "gcs" or "azure"; with "+" and an engine.
        server: The server, for the last three.
        folder: Where the SQLite file goes.
    """
    if server is None:
        shared = f"memory://{uuid4().hex}"
        yield Place(
            service, shared if service == "memory" else f"sqlite:///{SQLiteTarget(folder).path}"
        )
        return
    # fake-gcs-server replies only to its own host name.
    host = server.netloc if service.startswith("gcs") else None
    with FaultProxy(server.host, server.port, rewrite_host=host) as proxy:
        seen = server.via(proxy.url)
        engine = service.partition("+")[2] or "sdk"
        if service.startswith("s3"):
            url = S3Target(server, raw_client(server), proxy, engine).url
            yield Place(service, url, seen.environ, proxy)
        elif service.startswith("gcs"):
            url = GCSTarget(server.url, proxy, engine=engine).url
            yield Place(service, url, seen.environ, proxy)
            close_all()
        else:
            with closing(raw_container(server)) as raw:
                url = AzureTarget(server, raw, proxy, engine).url
                yield Place(service, url, seen.environ, proxy, {"credential": credential(server)})

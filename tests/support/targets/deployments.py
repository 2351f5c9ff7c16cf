"""A deployment on a server for a store, reached directly or through any number of proxies."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from statebucket import open_store
from statebucket.sync import open_store as open_blocking
from support.servers.strict_gcs import running_strict
from support.targets.azure import AzureTarget, credential, raw_container
from support.targets.gcs import GCSTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket import StateStore
    from statebucket.sync import BlockingStateStore
    from statebucket.testing import Target
    from support.servers import Server


@dataclass(frozen=True)
class Deployment:
    """Where stores keep their objects.

    Attributes:
        service: The service: "memory", "sqlite", "s3", "gcs" or "azure".
        url: The store's URL.
        endpoint: The part of it that a proxy's URL replaces; empty if that is impossible.
        prefix: What the names of all objects begin with.
        options: Options for a store, besides the URL.
        environ: The environment variables that another process needs.
        target: The same deployment, inspected through the service's own client.
    """

    service: str
    url: str
    endpoint: str = ""
    prefix: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    target: Target | None = None

    @property
    def port(self) -> int:
        """The port that a proxy passes requests on to."""
        return urlsplit(self.endpoint).port or 0

    def seen(self, through: str | None) -> str:
        """Give the store's URL through a proxy.

        Args:
            through: The proxy's URL; None for none.
        """
        return self.url if through is None else self.url.replace(self.endpoint, through)

    def open(self, through: str | None = None, **options: Any) -> StateStore:
        """Open a store here.

        Args:
            through: The URL of a proxy; None goes straight.
            **options: Those of `open_store`.
        """
        return open_store(self.seen(through), **(self.options | options))

    def blocking(self, through: str | None = None, **options: Any) -> BlockingStateStore:
        """Open a blocking store here; the arguments are those of `open`."""
        return open_blocking(self.seen(through), **(self.options | options))


@contextmanager
def deployment_on(
    service: str, server: Server | None, folder: Path, engine: str = "sdk"
) -> Iterator[Deployment]:
    """Make a deployment that no other test uses.

    Args:
        service: The service, as `Deployment` names it.
        server: The server, for the last three.
        folder: Where the SQLite file goes.
        engine: The engine of stores on S3 and Cloud Storage.
    """
    if server is None:
        shared = f"memory://{uuid4().hex}"
        yield Deployment(service, shared if service == "memory" else f"sqlite:///{folder}/state.db")
    elif service == "s3":
        s3 = S3Target(server, raw_client(server), engine=engine)
        yield Deployment(service, s3.url, server.url, s3.prefix, environ=server.environ, target=s3)
    elif service == "gcs":
        with running_strict(server) as strict:
            gcs = GCSTarget(server.url, strict, engine=engine)
            yield Deployment(service, gcs.url, strict.url, gcs.prefix, target=gcs)
    else:
        with closing(raw_container(server)) as raw:
            azure = AzureTarget(server, raw, engine=engine)
            yield Deployment(
                service,
                azure.url,
                server.url,
                azure.prefix,
                {"credential": credential(server)},
                server.environ,
                azure,
            )

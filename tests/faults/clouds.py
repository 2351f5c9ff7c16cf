"""A cloud that can be made to fail: a server, a proxy before it, and a way around both."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.fault_proxy.answers import azure_error, gcs_error, s3_error
from support.fault_proxy.proxy import FaultProxy
from support.targets.azure import AzureTarget, credential, raw_container
from support.targets.gcs import GCSTarget
from support.targets.gcs_bucket import close_all
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket import StateStore
    from statebucket.testing import Clock, Target
    from support.fault_proxy.proxy import Answer, Predicate, Recorded
    from support.servers import Server

_ANSWERS: dict[str, dict[str, tuple[int, str]]] = {
    "throttled": {
        "s3": (503, "SlowDown"),
        "gcs": (429, "rateLimitExceeded"),
        "azure": (503, "ServerBusy"),
    },
    "too many": {
        "s3": (429, "TooManyRequests"),
        "gcs": (429, "rateLimitExceeded"),
        "azure": (429, "TooManyRequests"),
    },
    "unavailable": {
        "s3": (503, "ServiceUnavailable"),
        "gcs": (503, "backendError"),
        "azure": (503, "Unavailable"),
    },
    "failing": {
        "s3": (500, "InternalError"),
        "gcs": (500, "internalError"),
        "azure": (500, "InternalError"),
    },
    "forbidden": {
        "s3": (403, "AccessDenied"),
        "gcs": (403, "forbidden"),
        "azure": (403, "AuthorizationPermissionMismatch"),
    },
    "missing bucket": {
        "s3": (404, "NoSuchBucket"),
        "gcs": (404, "notFound"),
        "azure": (404, "ContainerNotFound"),
    },
    "wrong key": {
        "s3": (403, "SignatureDoesNotMatch"),
        "gcs": (401, "authError"),
        "azure": (403, "AuthenticationFailed"),
    },
    "unknown key": {
        "s3": (403, "InvalidAccessKeyId"),
        "gcs": (401, "required"),
        "azure": (401, "NoAuthenticationInformation"),
    },
    "expired token": {
        "s3": (400, "ExpiredToken"),
        "gcs": (401, "authError"),
        "azure": (401, "InvalidAuthenticationInfo"),
    },
    "clock skew": {
        "s3": (403, "RequestTimeTooSkewed"),
        "gcs": (401, "authError"),
        "azure": (403, "AuthenticationFailed"),
    },
    "metadata too large": {
        "s3": (400, "MetadataTooLarge"),
        "gcs": (400, "invalid"),
        "azure": (400, "MetadataTooLarge"),
    },
}
_WORDERS = {"s3": s3_error, "gcs": gcs_error, "azure": azure_error}


@dataclass
class Cloud:
    """A place on one service, for one test.

    Attributes:
        service: "s3", "gcs" or "azure".
        target: The place; its ``raw`` calls go around the proxy.
        proxy: What the stores' requests go through.
        server: The server behind it.
        container: The bucket's or container's name.
        options: What `statebucket.open_store` needs besides the URL.
    """

    service: str
    target: Target
    proxy: FaultProxy
    server: Server
    container: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The store's URL, through the proxy."""
        url: str = self.target.url  # type: ignore[attr-defined]  # every target has one
        return url

    @property
    def clock(self) -> Clock:
        """The stores' clock."""
        return self.target.clock

    def open(self, **options: Any) -> StateStore:
        """Open a store here, with a deadline of 10 s unless another is given."""
        return self.target.open(**({"deadline": 10.0} | options))

    def says(
        self, what: str, *, retry_after: int | None = None, when: Predicate | None = None
    ) -> Answer:
        """The service's own words for a kind of failure, as a fault."""
        status, code = _ANSWERS[what][self.service]
        message = None
        if what == "missing bucket" and self.service == "gcs":
            message = "The specified bucket does not exist."
        return _WORDERS[self.service](status, code, message, retry_after=retry_after, when=when)

    def requests(self, when: Predicate) -> list[Recorded]:
        """The requests so far that a predicate holds for."""
        return [request for request in self.proxy.requests if when(request)]


def write(request: Recorded) -> bool:
    """Whether a request stores an object."""
    return request.method == "PUT" or request.target.startswith("/upload/")


def look(request: Recorded) -> bool:
    """Whether a request asks for an object's metadata alone."""
    path, _, query = request.target.partition("?")
    described = path.startswith("/storage/v1/") and "/o/" in path and "alt=media" not in query
    return request.method == "HEAD" or (request.method == "GET" and described)


def listing(request: Recorded) -> bool:
    """Whether a request asks for a page of a listing."""
    path, _, query = request.target.partition("?")
    return request.method == "GET" and (
        "list-type=2" in query or "comp=list" in query or path.endswith("/o")
    )


def read(request: Recorded) -> bool:
    """Whether a request asks for an object with its body."""
    return request.method == "GET" and not look(request) and not listing(request)


def removal(request: Recorded) -> bool:
    """Whether a request deletes an object or a batch of them."""
    if request.method == "DELETE":
        return True
    return request.method == "POST" and ("delete" in request.target or "batch" in request.target)


def of(name: str, kind: Predicate) -> Predicate:
    """A predicate for requests of a kind that are about an object whose name ends so."""
    encoded = name.replace("/", "%2F")

    def about(request: Recorded) -> bool:
        if not kind(request):
            return False
        path = request.target.partition("?")[0]
        return path.endswith((name, encoded)) or (
            path.startswith("/upload/") and f'{name}"'.encode() in request.body
        )

    return about


@contextmanager
def cloud_on(
    service: str, server: Server, strict: FaultProxy | None, engine: str = "sdk"
) -> Iterator[Cloud]:
    """Make a place that no other test uses.

    Args:
        service: "s3", "gcs" or "azure".
        server: The server.
        strict: For "gcs", the proxy that makes the server as strict as Cloud Storage.
        engine: For "s3" and "gcs", the stores' engine.
    """
    host, port = (server.host, server.port) if strict is None else ("127.0.0.1", strict.port)
    with FaultProxy(host, port) as proxy:
        if service == "s3":
            s3 = S3Target(server, raw_client(server), proxy, engine)
            yield Cloud(service, s3, proxy, server, s3.bucket)
        elif service == "gcs":
            gcs = GCSTarget(server.url, proxy, engine=engine)
            yield Cloud(service, gcs, proxy, server, gcs.around.bucket)
            close_all()
        else:
            with closing(raw_container(server)) as raw:
                azure = AzureTarget(server, raw, proxy, engine)
                options = {"credential": credential(server)}
                yield Cloud(service, azure, proxy, server, raw.container_name, options)

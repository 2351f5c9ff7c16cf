"""A container on Azure Blob, through our own requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from statebucket.errors import RequestRejected, Unavailable, UnsupportedOperation
from statebucket.port.beginnings import behind_folder, just_behind
from statebucket.port.bucket import Limits, Location, Object, ObjectInfo
from statebucket_azure.codes import ERRORS, READS, BlobNotFound, malformed, refusal
from statebucket_azure.http import replies
from statebucket_azure.http.requests import TAGS, BlobRequests
from statebucket_azure.http.signing import http_date
from statebucket_azure.http.target import AUTHORITIES, target_of
from statebucket_azure.versions import version_of
from statebucket_http.signing import SecondClock
from statebucket_http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket.contract.versions import Version
    from statebucket.port.bucket import Deletion, Page, PrefixPage, Write
    from statebucket.port.findings import Finding
    from statebucket.port.inventory_reports import InventoryReport
    from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
    from statebucket.port.remedies import Remedies
    from statebucket_azure.http.access import Grant
    from statebucket_azure.http.options import HTTPOptions
    from statebucket_http.wire import Endpoint, Reply, Request

_REQUEST_ID = "x-ms-client-request-id"  # the service repeats it in its response
_UNAUTHORIZED = 401
_UNKNOWN_VERSION = "InvalidHeaderValue"  # the code if x-ms-version is newer than the service
_OWN = (".windows.net", ".azure.net", ".usgovcloudapi.net", ".chinacloudapi.cn")


class HTTPBucket:
    """One container.

    Args:
        container: Its name.
        options: The store's options.
        location: The parsed URL, with the deadline and the limit on requests.

    Raises:
        InvalidURL: There is no account, or two that differ.
        InvalidArgument: The connection string is not valid, or credentials would be sent in clear
            text.
        InvalidCredentials: The key or signature is not valid.
    """

    name = "azure"
    report_scheme = "az"
    requires_network = True

    def __init__(self, container: str, options: HTTPOptions, location: Location) -> None:
        target = target_of(options, location.deadline)
        self._container = container
        self._options = options
        self._location = location
        self._ttl_tags = options.ttl_tags
        # Tags are off for accounts with a hierarchical namespace, which list folder by folder.
        self.limits = Limits(
            delete_batch=256,
            lists_in_order=options.ttl_tags,
            needs_loop=target.access.needs_loop,
        )
        self._account = target.account
        self._account_endpoint = target.endpoint
        self._access = target.access
        self._base = f"{target.endpoint.path}/{container}"
        self._endpoint = replace(target.endpoint, path=self._base)
        # An MD5 takes 1.4 ms per MiB, more than all other work on a body. Over TLS a body cannot
        # be altered unnoticed, and its length shows whether it is complete.
        self._checked = target.endpoint.scheme != "https"
        self._requests = BlobRequests(options, checked=self._checked)
        self._clock = SecondClock(http_date)
        self._knows_beginnings = True
        self._transport = Transport(
            "Azure Blob",
            location.deadline,
            None,
            location.max_in_flight,
            ca_setting="SSL_CERT_FILE",
            authorities=AUTHORITIES if target.endpoint.host.endswith(_OWN) else (),
        )

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`."""
        reply = await self._send(self._requests.put(write, condition))
        _expect(reply, 201)
        return version_of(reply.headers.get("etag"), writes=True)

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        try:
            reply = await self._send(self._requests.get(name))
        except BlobNotFound:
            return None
        body = replies.whole(reply, checked=self._checked)
        return Object(replies.info_of(name, reply, len(body)), body)

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        """See `statebucket.port.inventory_reports.ReportBucket.get_range`."""
        try:
            reply = await self._send(self._requests.get_range(name, start, length))
        except BlobNotFound:
            return None
        from statebucket.port.inventory_reports import whole_part  # noqa: PLC0415  (operators only)

        body = whole_part(reply.body, start, length, reply.headers.get("content-range"))
        return Object(replies.info_of(name, reply, length), body)

    def beside(self, bucket: str) -> HTTPBucket:
        """See `statebucket.port.inventory_reports.Reporting.beside`."""
        return HTTPBucket(bucket, self._options, self._location)

    def read_report(
        self,
        name: str,  # noqa: ARG002  (the port's)
        manifest: bytes,
        areas: Sequence[str],
    ) -> InventoryReport:
        """See `statebucket.port.inventory_reports.Reporting.read_report`."""
        from statebucket_azure import reports  # noqa: PLC0415  (for operators only)

        return reports.read(self._account, self._container, manifest, areas)

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.port.bucket.Bucket.head`."""
        try:
            reply = await self._send(self._requests.head(name))
        except BlobNotFound:
            return None
        return replies.info_of(name, reply, replies.size_of(reply))

    async def delete(self, name: str, condition: Version | None = None) -> bool:
        """See `statebucket.port.bucket.Bucket.delete`.

        A condition fails for a blob at another version, and for a missing one.
        """
        request = self._requests.delete(name, condition)
        try:
            reply = await self._send(request)
        except BlobNotFound:
            return False
        _expect(reply, 202)
        return True

    async def delete_many(self, names: Sequence[str]) -> list[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`.

        For an identity that may delete blobs but send no batches: a request for each blob.
        """
        if not names:
            return []
        from statebucket_azure.batch import deleted, deletions_of  # noqa: PLC0415  (rarely needed)

        def request(grant: Grant) -> Request:
            return self._requests.delete_many(names, grant, self._base, self._clock.now())

        async def batch() -> list[Deletion]:
            reply = await self._send_by(request, self._endpoint)
            return deletions_of(reply.headers.get("content-type", ""), reply.body, names)

        return await deleted(self, names, batch)

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        start = None if start_after is None else just_behind(start_after)
        reply = await self._list(prefix, after, limit, "", start)
        return replies.page_of(reply, self._container, prefix, after)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        start = None if start_after is None else behind_folder(start_after)
        reply = await self._list(prefix, after, limit, "/", start)
        return replies.prefixes_of(reply, self._container, prefix, after)

    async def _list(
        self, prefix: str, after: str | None, limit: int, delimiter: str, start: str | None
    ) -> Reply:
        start = start if self._knows_beginnings else None
        try:
            return await self._send(self._requests.list(prefix, after, limit, delimiter, start))
        except RequestRejected as error:
            if start is None or error.code != _UNKNOWN_VERSION:
                raise
            # The service is too old for a start name. Without one the page only has more entries.
            self._knows_beginnings = False
            return await self._send(self._requests.list(prefix, after, limit, delimiter))

    async def check(self, prefix: str) -> None:
        """See `statebucket.port.bucket.Bucket.check`."""
        await self.list(prefix, after=None, limit=1)

    @property
    def remedies(self) -> Remedies:
        """See `statebucket.port.findings.Diagnosable`."""
        from statebucket_azure.remedies import REMEDIES  # noqa: PLC0415  (for the doctor only)

        return REMEDIES

    async def examine(self, prefix: str) -> Sequence[Finding]:
        """See `statebucket.port.findings.Diagnosable`; it only reads."""
        from functools import partial  # noqa: PLC0415  (for the doctor only)

        from statebucket_azure.http.examination import examine  # noqa: PLC0415

        return await examine(
            self._account,
            self._container,
            prefix,
            self._access,
            self._send,
            partial(self._send, endpoint=self._account_endpoint),
            tags=self._ttl_tags,
        )

    @property
    def removal(self) -> Removal:
        """Rules by index tag remove expired blobs, if there are tags."""
        from statebucket.port.lifecycle import SWEEP_ONLY  # noqa: PLC0415  (for operators only)
        from statebucket_azure.lifecycle import REMOVAL  # noqa: PLC0415

        return REMOVAL if self._ttl_tags else SWEEP_ONLY

    @property
    def rule_root(self) -> str:
        """Rules belong to the account: their prefixes begin with the container."""
        return f"{self._container}/"

    async def read_lifecycle(self) -> UnreadableRules:
        """The rules belong to the storage account, and the blobs' API does not show them."""
        from statebucket_azure.lifecycle import UNREADABLE  # noqa: PLC0415  (for operators only)

        return UNREADABLE

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:  # noqa: ARG002
        """Unsupported, for the same reason."""
        raise UnsupportedOperation(
            "lifecycle rules belong to the storage account: write them with Terraform or the CLI"
        )

    async def close(self) -> None:
        """See `statebucket.port.bucket.Bucket.close`."""
        await self._transport.close()

    async def _send(self, request: Request, endpoint: Endpoint | None = None) -> Reply:
        """Sends a request, by default to the container; see `_send_by`."""
        return await self._send_by(
            lambda _: request, self._endpoint if endpoint is None else endpoint
        )

    async def _send_by(self, build: Callable[[Grant], Request], where: Endpoint) -> Reply:
        """Sends a request; the reply is a success.

        A token that the service refuses may have been revoked before it expired. The request has
        done nothing then, and is sent once more with another token.

        Args:
            build: Builds the request for a grant, which a batch has in each part.
            where: The endpoint.

        Raises:
            BlobNotFound: There is no such blob.
            StateBucketError: Any other reply, or none.
        """
        grant = await self._access.grant()
        request = build(grant)
        reply = await self._once(where, request, grant)
        if reply.status == _UNAUTHORIZED:
            other = await self._access.instead_of(grant)
            if other is not None:
                request = build(other)
                reply = await self._once(where, request, other)
        if reply.status >= ERRORS:
            writes = request.method not in READS
            raise refusal(
                reply.status,
                reply.headers,
                reply.body,
                writes=writes,
                tags=TAGS in request.headers,
            )
        return reply

    async def _once(self, endpoint: Endpoint, request: Request, grant: Grant) -> Reply:
        reads = request.method in READS
        sent_id = os.urandom(8).hex()  # a counter would repeat its ids in a forked process
        headers = {
            "host": endpoint.host,
            **request.headers,
            _REQUEST_ID: sent_id,
            "x-ms-date": self._clock.now(),
        }
        sent = grant.authorize(request, headers, endpoint.path)
        try:
            reply = await self._transport.send(endpoint, sent, headers)
        except Unavailable as error:
            if reads:
                error.outcome = "none"
            raise
        if reply.headers.get(_REQUEST_ID, sent_id) != sent_id:
            raise malformed("it answers another request", writes=not reads)
        return reply


def _expect(reply: Reply, status: int) -> None:
    """Refuses a successful reply to a write that is not from the service."""
    if reply.status != status or reply.body:
        raise malformed(writes=True)

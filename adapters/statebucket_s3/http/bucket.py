"""A bucket on S3, through our own requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from statebucket.errors import PreconditionFailed, StateBucketError
from statebucket.port.bucket import Limits, Location, Object, ObjectInfo
from statebucket.port.endpoint import require_tls
from statebucket_http.transport import Transport
from statebucket_s3 import versions
from statebucket_s3.http import replies
from statebucket_s3.http.credentials import CredentialSource
from statebucket_s3.http.endpoints import AUTHORITIES, endpoint_of
from statebucket_s3.http.requests import S3Requests
from statebucket_s3.http.settings import read_settings
from statebucket_s3.http.signing import S3Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.contract.versions import Version
    from statebucket.port.bucket import Deletion, Page, PrefixPage, Write
    from statebucket.port.findings import Finding
    from statebucket.port.inventory_reports import InventoryReport
    from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
    from statebucket.port.remedies import Remedies
    from statebucket_http.wire import Reply, Request
    from statebucket_s3.http.options import HTTPOptions


class HTTPBucket:
    """One bucket.

    Args:
        bucket: Its name.
        options: The store's options.
        location: The parsed URL, with the deadline and the limit on requests.
    """

    name = "s3"
    report_scheme = "s3"
    requires_network = True
    limits = Limits(
        unique_versions=False,
        lists_metadata=False,
        delete_batch=1000,
        needs_loop=False,
        takes_tail=True,
    )

    def __init__(self, bucket: str, options: HTTPOptions, location: Location) -> None:
        self._bucket = bucket
        self._options = options
        self._location = location
        self._settings = read_settings(options)
        self._endpoint = endpoint_of(bucket, self._settings, options.addressing_style)
        url = f"{self._endpoint.scheme}://{self._endpoint.host}"
        require_tls(url, insecure=options.insecure_endpoint)
        self._requests = S3Requests(options)
        self._signer = S3Signer()
        self._credentials = CredentialSource(options, self._settings, location.deadline)
        self._transport = Transport(
            "S3",
            location.deadline,
            self._settings.ca_bundle,
            location.max_in_flight,
            ca_setting="AWS_CA_BUNDLE",
            authorities=AUTHORITIES if self._settings.endpoint_url is None else (),
        )

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`."""
        reply = await self._found(self._requests.put(write, condition))
        if reply is None:
            raise PreconditionFailed("S3 answered 404: the object to be replaced is gone")
        return replies.written(reply)

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        reply = await self._found(self._requests.get(name))
        if reply is None:
            return None
        size = replies.whole(reply)
        return Object(replies.info_of(name, reply, size), reply.body, reply.tail)

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        """See `statebucket.port.inventory_reports.ReportBucket.get_range`."""
        reply = await self._found(self._requests.get_range(name, start, length))
        if reply is None:
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
        areas: Sequence[str],  # noqa: ARG002  (a manifest of S3's does not say what it leaves out)
    ) -> InventoryReport:
        """See `statebucket.port.inventory_reports.Reporting.read_report`."""
        from statebucket_s3 import reports  # noqa: PLC0415  (for operators only)

        return reports.read(self._bucket, manifest)

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.port.bucket.Bucket.head`."""
        from statebucket_s3.heads import explained  # noqa: PLC0415  (off the cold-start path)

        request = self._requests.head(name)
        reply = await explained(lambda: self._found(request), lambda: self.get_range(name, 0, 1))
        return None if reply is None else replies.info_of(name, reply, replies.size_of(reply))

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        """See `statebucket.port.bucket.Bucket.delete`."""
        reply = await self._found(self._requests.delete(name, condition))
        if reply is None:
            return False
        replies.check_empty(reply)
        return None

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        return replies.deletions_of(await self._send(self._requests.delete_many(names)), names)

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        reply = await self._send(self._requests.list(prefix, after, limit, start_after=start_after))
        return replies.page_of(reply, prefix, after)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        start = None
        if start_after is not None:
            from statebucket.port.beginnings import behind_folder  # noqa: PLC0415  (rarely needed)

            start = behind_folder(start_after)
        reply = await self._send(self._requests.list(prefix, after, limit, "/", start))
        return replies.prefixes_of(reply, prefix, after)

    async def check(self, prefix: str) -> None:
        """See `statebucket.port.bucket.Bucket.check`."""
        await self.list(prefix, after=None, limit=1)

    @property
    def remedies(self) -> Remedies:
        """See `statebucket.port.findings.Diagnosable`."""
        from statebucket_s3.remedies import REMEDIES  # noqa: PLC0415  (for the doctor only)

        return REMEDIES

    def adjusted(self) -> Mapping[str, HTTPBucket]:
        """See `statebucket.port.findings.Adjustable`."""
        option, options = versions.other_quotes(self._options)
        return {option: HTTPBucket(self._bucket, options, self._location)}

    async def examine(self, prefix: str) -> Sequence[Finding]:  # noqa: ARG002  (the port's)
        """See `statebucket.port.findings.Diagnosable`; it only reads."""
        from statebucket_s3.http.examination import examine  # noqa: PLC0415  (for the doctor only)

        credentials = await self._credentials.get()
        return await examine(
            self._bucket, self._settings, credentials, self._credentials.origin, self._once
        )

    @property
    def removal(self) -> Removal:
        """Rules by tag, if objects are tagged."""
        from statebucket.port.lifecycle import SWEEP_ONLY  # noqa: PLC0415  (for operators only)
        from statebucket_s3 import lifecycle  # noqa: PLC0415

        return lifecycle.REMOVAL if self._options.ttl_tags else SWEEP_ONLY

    @property
    def rule_root(self) -> str:
        """Empty: rules use the same object names as we do."""
        return ""

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """See `statebucket.port.lifecycle.LifecyclePort.read_lifecycle`."""
        from statebucket_s3 import lifecycle  # noqa: PLC0415  (off the cold-start path)

        try:
            return replies.lifecycle_of(await self._send(self._requests.read_lifecycle()))
        except StateBucketError as error:
            return lifecycle.answered(error)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """See `statebucket.port.lifecycle.LifecyclePort.write_lifecycle`."""
        from statebucket_s3 import lifecycle  # noqa: PLC0415  (as above)

        if rules:
            request = self._requests.write_lifecycle(lifecycle.write(rules, found))
        else:  # S3 refuses a configuration without any
            request = self._requests.remove_lifecycle()
        replies.check_empty(await self._send(request))

    async def close(self) -> None:
        """See `statebucket.port.bucket.Bucket.close`."""
        await self._transport.close()

    async def _send(self, request: Request) -> Reply:
        """Sends a request that is not about one object."""
        reply = await self._found(request)
        if reply is None:
            raise AssertionError("unreachable: only a request for one object may find it missing")
        return reply

    async def _found(self, request: Request) -> Reply | None:
        """Sends a request; None if S3 answers that the object does not exist."""
        asked = self._endpoint
        reply = await self._once(request)
        answer = replies.answer_of(reply, request)
        if answer is not None and answer.region not in {None, asked.region}:
            # S3 did nothing but report the bucket's region, to this call and to concurrent ones.
            self._settings = replace(self._settings, region=answer.region)
            self._endpoint = endpoint_of(
                self._bucket, self._settings, self._options.addressing_style
            )
            reply = await self._once(request)
            answer = replies.answer_of(reply, request)
        if answer is None:
            return reply
        if answer.missing:
            return None
        error = answer.error()
        if isinstance(error, PreconditionFailed):
            error.remedy = versions.remedy(self._options)
        raise error

    async def _once(self, request: Request) -> Reply:
        credentials = await self._credentials.get()
        endpoint = self._endpoint
        headers = self._signer.headers(endpoint, request, credentials)
        reply = await self._transport.send(endpoint, request, headers)
        if replies.expired(reply):
            other = await self._credentials.instead_of(credentials)
            if other is not None:  # nothing was done, so it may be sent again
                headers = self._signer.headers(endpoint, request, other)
                reply = await self._transport.send(endpoint, request, headers)
        return reply

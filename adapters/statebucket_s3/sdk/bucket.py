"""A bucket on S3."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiobotocore.httpchecksum import StreamingChecksumBody

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed, StateBucketError, Unavailable
from statebucket.port.bucket import (
    Limits,
    Location,
    Object,
    ObjectInfo,
    Page,
    PrefixPage,
    Write,
)
from statebucket.port.dates import from_iso
from statebucket.port.expiry import TAG
from statebucket.port.loops import ClientPerLoop
from statebucket.port.timeouts import idle_limit
from statebucket_s3 import listing, versions
from statebucket_s3.batch import deletions_of
from statebucket_s3.codes import OPTIONAL, Requested, unreadable
from statebucket_s3.partitions import DIRECTORIES
from statebucket_s3.sdk.client import Connection
from statebucket_s3.sdk.errors import is_missing, note_request, shows_secret, translated
from statebucket_s3.sdk.session import OwnSession, own_session
from statebucket_s3.versions import if_match, remedy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from statebucket.port.bucket import Deletion
    from statebucket.port.findings import Finding
    from statebucket.port.inventory_reports import InventoryReport
    from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
    from statebucket.port.remedies import Remedies
    from statebucket_s3.sdk.options import S3Options

T = TypeVar("T")

_ALWAYS = {  # every reply of S3 has this, except to a delete, which may be empty
    "put_object": "ETag",
    "get_object": "ETag",
    "head_object": "ETag",
}
_ARGUMENTS = {  # the SDK's names of headers
    "if-match": "IfMatch",
    "if-none-match": "IfNoneMatch",
    "x-amz-tagging": "Tagging",
    "x-amz-server-side-encryption": "ServerSideEncryption",
}


class SDKBucket:
    """One bucket, through the SDK's client.

    Args:
        bucket: Its name.
        options: The store's options.
        location: The parsed URL, with the deadline and the limit on requests.
    """

    name = "s3"
    report_scheme = "s3"
    requires_network = True
    limits = Limits(unique_versions=False, lists_metadata=False, delete_batch=1000)

    def __init__(self, bucket: str, options: S3Options, location: Location) -> None:
        self._bucket = bucket
        self._options = options
        if bucket.endswith(DIRECTORIES):  # they list in no order
            self.limits = msgspec.structs.replace(self.limits, lists_in_order=False)
        self._location = location
        self._session = None if options.session is None else OwnSession(options.session, None)
        self._clients: ClientPerLoop[Any] = ClientPerLoop(self._connect)
        self._write_options: dict[str, Any] = {}
        if options.sse is not None:
            self._write_options["ServerSideEncryption"] = options.sse
        if options.sse_kms_key_id is not None:
            self._write_options["SSEKMSKeyId"] = options.sse_kms_key_id

    def _connect(self) -> Any:  # noqa: ANN401  (a context manager of the SDK's client)
        if self._session is None:
            self._session = own_session()  # kept: a second client of it costs a tenth
        return Connection(
            self._session,
            self._options,
            idle_limit(self._location.deadline),
            self._location.max_in_flight,
        )

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`."""
        options = dict(self._write_options)
        if write.expiry is not None and write.expiry.days is not None and self._options.ttl_tags:
            options["Tagging"] = f"{TAG}={write.expiry.days}"
        if condition == Version.ABSENT:
            options["IfNoneMatch"] = "*"
        elif condition is not None:
            options["IfMatch"] = if_match(condition, self._options)
        reply = await self._send(
            "put_object",
            missing=PreconditionFailed("S3 answered 404: the object to be replaced is gone"),
            Key=write.name,
            Body=write.body,
            ContentType=write.content_type,
            Metadata=write.metadata,
            **options,
        )
        with _reading():
            return Version(reply["ETag"])

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        reply = await self._send("get_object", Key=name)
        return None if reply is None else Object(_info(name, reply), reply["Body"])

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        """See `statebucket.port.inventory_reports.ReportBucket.get_range`."""
        span = f"bytes={start}-{start + length - 1}"
        reply = await self._send("get_object", Key=name, Range=span)
        if reply is None:
            return None
        from statebucket.port.inventory_reports import whole_part  # noqa: PLC0415  (operators only)

        body = whole_part(reply["Body"], start, length, reply.get("ContentRange"))
        return Object(_info(name, reply), body)

    def beside(self, bucket: str) -> SDKBucket:
        """See `statebucket.port.inventory_reports.Reporting.beside`."""
        return SDKBucket(bucket, self._options, self._location)

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
        from statebucket_s3.heads import explained  # noqa: PLC0415  (as in the other engine)

        reply = await explained(
            lambda: self._send("head_object", Key=name), lambda: self.get_range(name, 0, 1)
        )
        return None if reply is None else _info(name, reply)

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        """See `statebucket.port.bucket.Bucket.delete`."""
        options: dict[str, Any] = {}
        if condition is not None:
            options["IfMatch"] = if_match(condition, self._options)
        reply = await self._send("delete_object", Key=name, **options)
        return False if reply is None else None

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        objects = [{"Key": name} for name in names]
        reply = await self._send("delete_objects", Delete={"Objects": objects, "Quiet": True})
        return deletions_of(reply.get("Errors", ()), reply.get("Deleted", ()), names)

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        folder, options = self._folder(prefix), {}
        if start_after is not None and after is None and self.limits.lists_in_order:
            options["StartAfter"] = start_after
        reply = await self._list(folder, after, limit, **options)
        with _reading():
            objects = [
                ObjectInfo(
                    entry["Key"],
                    Version(entry["ETag"]),
                    entry["Size"],
                    {},
                    _moment(entry.get("LastModified")),
                )
                for entry in reply.get("Contents", ())
                if folder == prefix or entry["Key"].startswith(prefix)
            ]
        return Page(objects, _following(reply, after))

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        options = {"Delimiter": "/"}
        if start_after is not None and after is None and self.limits.lists_in_order:
            from statebucket.port.beginnings import behind_folder  # noqa: PLC0415  (rarely needed)

            options["StartAfter"] = behind_folder(start_after)
        folder = self._folder(prefix)
        reply = await self._list(folder, after, limit, **options)
        with _reading():
            prefixes = [
                entry["Prefix"]
                for entry in reply.get("CommonPrefixes", ())
                if folder == prefix or entry["Prefix"].startswith(prefix)
            ]
        return PrefixPage(prefixes, _following(reply, after))

    def _folder(self, prefix: str) -> str:
        """What to list for a prefix: a directory bucket lists only whole folders."""
        return prefix if self.limits.lists_in_order else prefix[: prefix.rfind("/") + 1]

    async def check(self, prefix: str) -> None:
        """See `statebucket.port.bucket.Bucket.check`."""
        await self.list(prefix, after=None, limit=1)

    @property
    def remedies(self) -> Remedies:
        """See `statebucket.port.findings.Diagnosable`."""
        from statebucket_s3.remedies import REMEDIES  # noqa: PLC0415  (for the doctor only)

        return REMEDIES

    def adjusted(self) -> Mapping[str, SDKBucket]:
        """See `statebucket.port.findings.Adjustable`."""
        option, options = versions.other_quotes(self._options)
        return {option: SDKBucket(self._bucket, options, self._location)}

    async def examine(self, prefix: str) -> Sequence[Finding]:  # noqa: ARG002  (the port's)
        """See `statebucket.port.findings.Diagnosable`; it only reads."""
        from statebucket_s3.sdk.examination import examine  # noqa: PLC0415  (for the doctor only)

        client = await self._clients.get()
        session = None if self._session is None else self._session.session
        return await examine(client, session, self._options, self._bucket)

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
        from statebucket_s3 import lifecycle  # noqa: PLC0415  (as above)

        try:
            reply = await self._send("get_bucket_lifecycle_configuration")
            with _reading():
                return lifecycle.read(reply)
        except StateBucketError as error:
            return lifecycle.answered(error)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """See `statebucket.port.lifecycle.LifecyclePort.write_lifecycle`."""
        if not rules:  # S3 refuses a configuration without any
            await self._send("delete_bucket_lifecycle")
            return
        from statebucket_s3 import lifecycle  # noqa: PLC0415  (as above)

        arguments = lifecycle.write(rules, found)
        await self._send("put_bucket_lifecycle_configuration", **arguments)

    async def close(self) -> None:
        """See `statebucket.port.bucket.Bucket.close`."""
        await self._clients.close()

    async def _list(self, prefix: str, after: str | None, limit: int, **options: Any) -> Any:  # noqa: ANN401
        if after is not None:
            options["ContinuationToken"] = after
        reply = await self._send("list_objects_v2", Prefix=prefix, MaxKeys=limit, **options)
        listing.check_prefix(prefix, reply.get("Prefix"))
        return reply

    async def _send(
        self,
        operation: str,
        *,
        missing: PreconditionFailed | None = None,
        **arguments: Any,  # noqa: ANN401  (the client's)
    ) -> Any:  # noqa: ANN401  (the SDK's replies are dictionaries)
        """Sends one request; None if S3 answers that the object does not exist.

        Args:
            operation: The client's method.
            missing: What to raise instead of returning None.
            arguments: The method's arguments, except the bucket.
        """
        note_request()
        try:
            client = await self._clients.get()
            reply = await getattr(client, operation)(Bucket=self._bucket, **arguments)
            _check(operation, reply)
            if operation == "get_object":
                reply["Body"] = await _whole(reply, part="Range" in arguments)
                reply["ContentLength"] = len(reply["Body"])  # left out where a proxy sends chunks
        except Exception as error:
            if is_missing(error, operation):
                if missing is not None:
                    raise missing from error
                return None
            ours = translated(error, _requested(operation, arguments))
            if isinstance(ours, PreconditionFailed):
                ours.remedy = remedy(self._options)
            if ours is None or ours is error:
                raise
            cause = None if shows_secret(error) else error
        else:
            return reply
        raise ours from cause  # out of the handler: what is left out would be its context


def _requested(operation: str, arguments: Mapping[str, Any]) -> Requested:
    """A request with S3's names of operations and headers, from the SDK's names."""
    return Requested(
        "".join(word.capitalize() for word in operation.split("_")),
        [header for header in OPTIONAL if _ARGUMENTS[header] in arguments],
    )


def _check(operation: str, reply: Any) -> None:  # noqa: ANN401
    """Refuses a 200 reply that is not from S3: a proxy's page, or an empty one."""
    if _ALWAYS.get(operation, "ResponseMetadata") not in reply:
        raise unreadable()


async def _whole(reply: Any, *, part: bool) -> bytes:  # noqa: ANN401
    """The body of a reply; the SDK's stream raises if its length or checksum is wrong."""
    stream = reply["Body"]
    async with stream:  # its own result is the raw stream, which checks nothing
        body: bytes = await stream.read()
    meta = reply["ResponseMetadata"]
    if not part and meta["HTTPStatusCode"] == HTTPStatus.PARTIAL_CONTENT:
        raise Unavailable("S3 answered with a part of the object, though all of it was requested")
    headers = meta["HTTPHeaders"]
    framed = "content-length" in headers or "transfer-encoding" in headers
    if not framed and not isinstance(stream, StreamingChecksumBody):
        raise Unavailable("the body ended with the connection and may be truncated")
    return body


@contextmanager
def _reading() -> Iterator[None]:
    """Refuses a reply that lacks what every reply of S3 has."""
    try:
        yield
    except (KeyError, ValueError):
        raise unreadable() from None


def _following(reply: Any, after: str | None) -> str | None:  # noqa: ANN401
    """The token that requests the next page; None after the last."""
    return listing.following(
        reply.get("NextContinuationToken"), after, truncated=reply["IsTruncated"]
    )


def _moment(found: Any) -> datetime | None:  # noqa: ANN401
    """When an entry was written; the caller's session has parsed it, ours has not."""
    return found.astimezone(UTC) if isinstance(found, datetime) else from_iso(found)


def _info(name: str, reply: Any) -> ObjectInfo:  # noqa: ANN401
    with _reading():
        metadata = {key.lower(): value for key, value in reply["Metadata"].items()}
        return ObjectInfo(name, Version(reply["ETag"]), reply["ContentLength"], metadata)

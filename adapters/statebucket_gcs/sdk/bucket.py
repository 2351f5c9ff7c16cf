"""The port, on Cloud Storage's JSON API, and its XML API for reading."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from msgspec import structs

from statebucket.errors import Unavailable
from statebucket.port.bucket import JSON, Deletion, Limits, Object, ObjectInfo, Page, PrefixPage
from statebucket_gcs import lifecycle
from statebucket_gcs.sdk import batch
from statebucket_gcs.sdk.connection import Connection, Connections
from statebucket_gcs.sdk.errors import error_of, malformed
from statebucket_gcs.sdk.versions import matching
from statebucket_gcs.sdk.wire import Listing, Resource, check_body, decode, describe, from_headers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.contract.versions import Version
    from statebucket.errors import StateBucketError
    from statebucket.port.bucket import Write
    from statebucket.port.findings import Finding
    from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
    from statebucket.port.remedies import Remedies
    from statebucket_gcs.options import GCSOptions
    from statebucket_gcs.sdk.answer import Answer

log = logging.getLogger("statebucket")

_FIELDS = "name,generation,size,metadata"


class GCSBucket:
    """One bucket of Cloud Storage. A version is a generation.

    Args:
        bucket: The bucket's name.
        options: The adapter's options.
        deadline: Seconds that a call may take.
        max_in_flight: The most requests at one time, from one event loop.
    """

    name = "gcs"
    requires_network = True
    limits = Limits(delete_batch=batch.MOST, write_interval=1.0)

    def __init__(
        self, bucket: str, options: GCSOptions, *, deadline: float, max_in_flight: int
    ) -> None:
        self._bucket = bucket
        self._key = options.kms_key_name
        self._path = f"/storage/v1/b/{quote(bucket, safe='')}"
        self._connections = Connections(options, deadline, max_in_flight)
        self._xml: bool | None = None  # whether the XML API answers as Google's does

    @property
    def held_threads(self) -> int:
        """How many threads are held by calls whose callers have gone at their deadline."""
        return self._connections.current().threads.held

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`. One request, whatever the size."""
        query = {"uploadType": "multipart", "fields": "name,generation,size", **matching(condition)}
        if self._key is not None:
            query["kmsKeyName"] = self._key
        return await self._connections.run(lambda to: self._put(to, write, query))

    def _put(self, to: Connection, write: Write, query: Mapping[str, str]) -> Version:
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n"
            f"{describe(write).decode()}\r\n"
            f"--{boundary}\r\ncontent-type: {write.content_type}\r\n\r\n"
        )
        answer = to.send(
            "POST",
            f"/upload{self._path}/o",
            query=query,
            headers={"Content-Type": f"multipart/related; boundary={boundary}"},
            body=[head.encode(), write.body, f"\r\n--{boundary}--\r\n".encode()],
        )
        if answer.status != HTTPStatus.OK:
            raise self._error(answer)
        resource = decode(answer, Resource)
        resource.check(write.name, len(write.body), writes=True)
        return resource.info().version

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        return await self._connections.run(lambda to: self._get(to, name))

    def _get(self, to: Connection, name: str) -> Object | None:
        if self._xml is False:
            return self._get_in_two(to, name)
        path = f"/{quote(self._bucket, safe='')}/{quote(name, safe='/~')}"
        # Identity: the body as it is stored, which the hash is of.
        answer = to.send("GET", path, headers={"Accept-Encoding": "identity"})
        if answer.status == HTTPStatus.OK:
            if "x-goog-generation" in answer.headers:
                return self._with_metadata(to, from_headers(name, answer))
        elif answer.bucket_missing or not answer.missing:
            raise self._error(answer, reads_object=True)
        elif self._xml or b"<Code>NoSuchKey</Code>" in answer.body:
            return None
        found = self._get_in_two(to, name)
        if found is not None and self._xml is None:
            self._leave_xml()
        return found

    def _with_metadata(self, to: Connection, found: Object) -> Object | None:
        """An object read by the XML API, if need be with the metadata that its reply left out.

        Every object that we write has metadata. One without was written by others, or by us on a
        server whose XML API omits metadata: then its TTL would be lost.
        """
        if found.info.metadata:
            self._xml = True
            return found
        resource = self._describe(to, found.info.name)
        if resource is None:
            return None  # deleted meanwhile
        info = resource.info(found.info.name)
        if info.version != found.info.version:
            return self._get_in_two(to, found.info.name)
        if info.metadata != found.info.metadata:
            self._leave_xml()
        return Object(structs.replace(found.info, metadata=info.metadata), found.body)

    def _leave_xml(self) -> None:
        self._xml = False
        log.warning(
            "the server does not answer the XML API as Cloud Storage does: each read is two "
            "requests of the JSON API from now on"
        )

    def _get_in_two(self, to: Connection, name: str) -> Object | None:
        """Reads metadata and body apart, for servers without the XML API."""
        resource = self._describe(to, name)
        if resource is None:
            return None
        info = resource.info(name)
        answer = to.send(
            "GET",
            self._object(name),
            query={"alt": "media", "generation": info.version.token},
            headers={"Accept-Encoding": "identity"},
        )
        if answer.missing:
            raise Unavailable("the object was replaced between the two requests that read it")
        if answer.status != HTTPStatus.OK:
            raise self._error(answer, reads_object=True)
        if answer.headers.get("x-goog-generation", info.version.token) != info.version.token:
            raise malformed("it describes another generation of the object")
        check_body(answer.body, resource.size, resource.crc32c)
        return Object(info, answer.body)

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.port.bucket.Bucket.head`."""
        resource = await self._connections.run(lambda to: self._describe(to, name))
        return None if resource is None else resource.info(name)

    def _describe(self, to: Connection, name: str) -> Resource | None:
        answer = to.send("GET", self._object(name), query={"fields": f"{_FIELDS},crc32c"})
        if answer.missing:
            return None
        if answer.status != HTTPStatus.OK:
            raise self._error(answer, reads_object=True)
        resource = decode(answer, Resource)
        resource.check(name)
        return resource

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        """See `statebucket.port.bucket.Bucket.delete`."""
        query = matching(condition)
        return await self._connections.run(lambda to: self._delete(to, name, query))

    def _delete(self, to: Connection, name: str, query: Mapping[str, str]) -> bool:
        answer = to.send("DELETE", self._object(name), query=query)
        if answer.missing:
            return False
        if answer.status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
            raise self._error(answer)
        if answer.body.strip():  # there is none, or JSON of an emulator
            decode(answer, object)
        return True

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        if not names:
            return []
        kind, body = batch.deletions([self._object(name) for name in names])

        def job(to: Connection) -> dict[int, Answer]:
            answer = to.send("POST", batch.PATH, headers={"Content-Type": kind}, body=[body])
            if answer.status != HTTPStatus.OK:
                raise self._error(answer)
            return batch.answers(answer, len(names))

        found = await self._connections.run(job)
        return [self._deletion(name, found.get(place)) for place, name in enumerate(names)]

    def _deletion(self, name: str, answer: Answer | None) -> Deletion:
        """What became of one object of a batch."""
        if answer is None:
            return Deletion(name, error=malformed("it has no result for this object", writes=True))
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return Deletion(name, existed=True)
        if answer.missing:
            return Deletion(name, existed=False)
        error = self._error(answer)
        if answer.bucket_missing:
            raise error  # every part has it
        error.object_name = name
        return Deletion(name, error=error)

    async def list(self, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        query = {"fields": f"items({_FIELDS}),nextPageToken"}
        listing = await self._list(prefix, after, limit, query)
        return Page([item.info() for item in listing.items], listing.next_page_token)

    async def list_prefixes(self, prefix: str, *, after: str | None, limit: int) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        query = {"fields": "prefixes,nextPageToken", "delimiter": "/"}
        listing = await self._list(prefix, after, limit, query)
        return PrefixPage(listing.prefixes, listing.next_page_token)

    async def _list(
        self, prefix: str, after: str | None, limit: int, query: dict[str, str]
    ) -> Listing:
        query |= {"prefix": prefix, "maxResults": str(limit)}
        if after is not None:
            query["pageToken"] = after

        def job(to: Connection) -> Listing:
            answer = to.send("GET", f"{self._path}/o", query=query)
            if answer.status != HTTPStatus.OK:
                raise self._error(answer)
            listing = decode(answer, Listing)
            if after is not None and listing.next_page_token == after:
                raise malformed("the next-page token repeats")
            return listing

        return await self._connections.run(job)

    async def check(self, prefix: str) -> None:
        """See `statebucket.port.bucket.Bucket.check`: lists one object."""
        await self.list(prefix, after=None, limit=1)

    @property
    def remedies(self) -> Remedies:
        """See `statebucket.port.findings.Diagnosable`."""
        from statebucket_gcs.remedies import REMEDIES  # noqa: PLC0415  (for the doctor only)

        return REMEDIES

    async def examine(self, prefix: str) -> Sequence[Finding]:
        """See `statebucket.port.findings.Diagnosable`; it only reads."""
        from statebucket_gcs.sdk.examination import examine  # noqa: PLC0415  (for the doctor only)

        # A store without a prefix has the bucket for itself; a tenant's view never has.
        whole = prefix.count("/") == 1
        return await self._connections.run(
            lambda to: examine(to, self._path, self._bucket, whole=whole)
        )

    @property
    def removal(self) -> Removal:
        """Rules by custom time remove what has expired."""
        return lifecycle.REMOVAL

    @property
    def rule_root(self) -> str:
        """Nothing: rules name objects as we do."""
        return ""

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """See `statebucket.port.lifecycle.LifecyclePort`; needs ``storage.buckets.get``."""

        def job(to: Connection) -> Lifecycle | UnreadableRules:
            answer = to.send("GET", self._path, query={"fields": lifecycle.FIELDS})
            if answer.status != HTTPStatus.OK:
                raise self._error(answer)
            return lifecycle.read_body(answer.body)

        return await self._connections.run(job)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """See `statebucket.port.lifecycle.LifecyclePort`; needs ``storage.buckets.update``."""
        query, change = lifecycle.write(rules, found)

        def job(to: Connection) -> None:
            headers = {"Content-Type": JSON}
            body = [msgspec.json.encode(change)]
            answer = to.send("PATCH", self._path, query=query, headers=headers, body=body)
            if answer.status != HTTPStatus.OK:
                raise self._error(answer)
            decode(answer, dict[str, Any])

        await self._connections.run(job)

    async def close(self) -> None:
        """Closes the client, unless it is the caller's; the next call opens another."""
        self._connections.close()

    def _object(self, name: str) -> str:
        return f"{self._path}/o/{quote(name, safe='~')}"

    def _error(self, answer: Answer, *, reads_object: bool = False) -> StateBucketError:
        return error_of(answer, self._bucket, reads_object=reads_object)

"""The port on Cloud Storage's JSON API, and its XML API for reads; the same for both engines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from statebucket.contract.versions import Version
from statebucket.errors import StateBucketError, Unavailable
from statebucket.port.beginnings import behind_folder, just_behind
from statebucket.port.bucket import JSON, Deletion, Limits, Object, ObjectInfo, Page, PrefixPage
from statebucket.port.url import quoted
from statebucket_gcs.errors import error_of, malformed
from statebucket_gcs.versions import matching
from statebucket_gcs.wire import Listing, Resource, check_body, decode, describe, from_headers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.port.bucket import Write
    from statebucket.port.findings import Finding
    from statebucket.port.inventory_reports import InventoryReport
    from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
    from statebucket.port.remedies import Remedies
    from statebucket_gcs.answer import Answer
    from statebucket_gcs.sender import Sender

MOST_DELETIONS = 100
"""The most deletions that the service accepts in one request."""

_FIELDS = "name,generation,size,metadata"
_AS_STORED = {"accept-encoding": "identity"}  # what the checksums cover
_OK = 200
_NO_CONTENT = 204
_PARTIAL = 206
_REDIRECTED = 300
_UNAUTHORIZED = 401


class GCSBucket:
    """One bucket of Cloud Storage. A version is a generation.

    A write is an upload of the JSON API in one request. The XML API would take metadata in headers,
    but no server to test against supports it with custom times and conditions.

    Args:
        bucket: The bucket's name.
        sender: The engine, which sends requests.
        kms_key_name: The key that encrypts what is written; None for the bucket's own.
        lent: Whether the sender belongs to another bucket, which will close it.

    Attributes:
        sender: What sends requests.
        limits: See `statebucket.port.bucket.Limits`.
    """

    name = "gcs"
    report_scheme = "gs"
    requires_network = True

    def __init__(
        self,
        bucket: str,
        sender: Sender,
        *,
        kms_key_name: str | None = None,
        lent: bool = False,
    ) -> None:
        self.sender = sender
        self._lent = lent
        self.limits = Limits(
            delete_batch=MOST_DELETIONS, write_interval=1.0, needs_loop=sender.needs_loop
        )
        self._bucket = bucket
        self._path = f"/storage/v1/b/{quoted(bucket)}"
        self._xml_path = f"/{quoted(bucket)}"
        self._upload = "uploadType=multipart&fields=name%2Cgeneration%2Csize"
        if kms_key_name is not None:
            self._upload += f"&kmsKeyName={quoted(kms_key_name)}"
        self._xml: bool | None = None  # whether the XML API behaves like Google's

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`. One request for any size."""
        met = matching(condition)
        boundary = os.urandom(16).hex()
        head = (
            f"--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n"
            f"{describe(write).decode()}\r\n"
            f"--{boundary}\r\ncontent-type: {write.content_type}\r\n\r\n"
        )
        answer = await self.sender.send(
            "POST",
            f"/upload{self._path}/o",
            query=f"{self._upload}&{met}" if met else self._upload,
            headers={"content-type": f"multipart/related; boundary={boundary}"},
            body=[head.encode(), write.body, f"\r\n--{boundary}--\r\n".encode()],
        )
        if answer.status != _OK:
            raise self._error(answer)
        resource = decode(answer, Resource)
        resource.check(write.name, len(write.body), writes=True)
        return resource.info(write.name).version

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        if self._xml is False:
            return await self._get_in_two(name)
        path = f"{self._xml_path}/{quoted(name, slashes=True)}"
        answer = await self.sender.send("GET", path, headers=_AS_STORED)
        if answer.status == _OK:
            if "x-goog-generation" in answer.headers:
                return await self._with_metadata(from_headers(name, answer))
        elif not answer.missing and (self._xml or not answer.foreign):
            raise self._error(answer, reads_object=True)
        elif self._xml or b"<Code>NoSuchKey</Code>" in answer.body:
            return None
        found = await self._get_in_two(name)
        if found is not None and self._xml is None:
            self._leave_xml()
        return found

    async def _with_metadata(self, found: Object) -> Object | None:
        """An object read by the XML API; a second request gets metadata that the reply lacks.

        Every object that we write has metadata. One without was written by another program, or by
        us on a server whose XML API omits metadata: then its TTL would be lost.
        """
        if found.info.metadata:
            self._xml = True
            return found
        resource = await self._describe(found.info.name)
        if resource is None:
            return None  # deleted meanwhile
        info = resource.info(found.info.name)
        if info.version != found.info.version:
            return await self._get_in_two(found.info.name)
        if info.metadata != found.info.metadata:
            self._leave_xml()
        return Object(structs.replace(found.info, metadata=info.metadata), found.body)

    def _leave_xml(self) -> None:
        from logging import getLogger  # noqa: PLC0415  (off the cold-start path)

        self._xml = False
        getLogger("statebucket").warning(
            "the server does not answer the XML API as Cloud Storage does: each read is two "
            "requests of the JSON API from now on"
        )

    async def _get_in_two(self, name: str) -> Object | None:
        """Reads metadata and body separately, for servers without the XML API."""
        resource = await self._describe(name)
        if resource is None:
            return None
        info = resource.info(name)
        answer = await self.sender.send(
            "GET",
            self._object(name),
            query=f"alt=media&generation={info.version.token}",
            headers=_AS_STORED,
        )
        if answer.missing:
            raise Unavailable("the object was replaced between the two requests that read it")
        if answer.status != _OK:
            raise self._error(answer, reads_object=True)
        if answer.headers.get("x-goog-generation", info.version.token) != info.version.token:
            raise malformed("it describes another generation of the object")
        check_body(answer.body, resource.size, resource.crc32c, resource.md5)
        return Object(info, answer.body)

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        """See `statebucket.port.inventory_reports.ReportBucket.get_range`."""
        from statebucket.port.inventory_reports import whole_part  # noqa: PLC0415  (operators only)

        span = {"range": f"bytes={start}-{start + length - 1}", **_AS_STORED}
        answer = await self.sender.send("GET", self._object(name), query="alt=media", headers=span)
        if answer.missing:
            return None
        if answer.status not in {_OK, _PARTIAL}:
            raise self._error(answer, reads_object=True)
        body = whole_part(answer.body, start, length, answer.headers.get("content-range"))
        generation = answer.headers.get("x-goog-generation")
        if generation:
            return Object(ObjectInfo(name, Version(generation), length, {}), body)
        info = await self.head(name)  # an emulator does not say
        return None if info is None else Object(info, body)

    def beside(self, bucket: str) -> GCSBucket:
        """See `statebucket.port.inventory_reports.Reporting.beside`."""
        return GCSBucket(bucket, self.sender, lent=True)

    def read_report(
        self,
        name: str,
        manifest: bytes,
        areas: Sequence[str],  # noqa: ARG002  (a report has all of its bucket)
    ) -> InventoryReport:
        """See `statebucket.port.inventory_reports.Reporting.read_report`."""
        from statebucket_gcs import reports  # noqa: PLC0415  (for operators only)

        async def keeps_versions() -> bool | None:
            return await reports.keeps_versions(self.sender, self._path, self._bucket)

        return reports.read(self._bucket, name, manifest, keeps_versions)

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.port.bucket.Bucket.head`."""
        resource = await self._describe(name)
        return None if resource is None else resource.info(name)

    async def _describe(self, name: str) -> Resource | None:
        query = f"fields={_FIELDS},crc32c,md5Hash"
        answer = await self.sender.send("GET", self._object(name), query=query)
        if answer.missing:
            return None
        if answer.status != _OK:
            raise self._error(answer, reads_object=True)
        resource = decode(answer, Resource)
        resource.check(name)
        return resource

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        """See `statebucket.port.bucket.Bucket.delete`."""
        answer = await self.sender.send("DELETE", self._object(name), query=matching(condition))
        if answer.missing:
            return False
        if answer.status not in {_OK, _NO_CONTENT}:
            raise self._error(answer)
        if answer.body.strip():  # no body, or an emulator's JSON
            decode(answer, object)
        return True

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        if not names:
            return []
        answers = await self._delete_batch(names)
        # A token that was revoked is refused in each part; the reply itself is a success.
        refused = [name for name, one in answers.items() if one and one.status == _UNAUTHORIZED]
        failed: StateBucketError | None = None
        try:
            if refused and await self.sender.renew():
                answers |= await self._delete_batch(refused)
        except StateBucketError as error:
            failed = error  # of these alone: the first request has deleted the others
        return [
            Deletion(name, error=failed)
            if failed is not None and name in refused
            else self._deletion(name, answers[name])
            for name in names
        ]

    async def _delete_batch(self, names: Sequence[str]) -> dict[str, Answer | None]:
        """The result for each object of a batch; None if the reply has none."""
        from statebucket_gcs import batch  # noqa: PLC0415  (off the cold-start path)

        kind, body = batch.deletions([self._object(name) for name in names])
        headers = {"content-type": kind}
        answer = await self.sender.send("POST", batch.PATH, headers=headers, body=[body])
        if answer.status != _OK:
            raise self._error(answer)
        found = batch.answers(answer, len(names))
        return {name: found.get(place) for place, name in enumerate(names)}

    def _deletion(self, name: str, answer: Answer | None) -> Deletion:
        """The result for one object of a batch."""
        if answer is None:
            return Deletion(name, error=malformed("it has no result for this object", writes=True))
        if answer.status < _REDIRECTED:
            return Deletion(name, existed=True)
        if answer.missing:
            return Deletion(name, existed=False)
        error = self._error(answer)
        if answer.bucket_missing:
            raise error  # every part has it
        error.object_name = name
        return Deletion(name, error=error)

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        query = {"fields": f"kind,items({_FIELDS},updated),nextPageToken"}
        if start_after is not None:
            query["startOffset"] = just_behind(start_after)
        listing = await self._list(prefix, after, limit, query)
        return Page([item.listed() for item in listing.items], listing.next_page_token or None)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        query = {"fields": "kind,prefixes,nextPageToken", "delimiter": "/"}
        if start_after is not None:
            query["startOffset"] = behind_folder(start_after)
        listing = await self._list(prefix, after, limit, query)
        return PrefixPage(listing.prefixes, listing.next_page_token or None)

    async def _list(
        self, prefix: str, after: str | None, limit: int, query: dict[str, str]
    ) -> Listing:
        query |= {"prefix": prefix, "maxResults": str(limit)}
        if after is not None:
            query["pageToken"] = after
        answer = await self.sender.send("GET", f"{self._path}/o", query=_encoded(query))
        if answer.status != _OK:
            raise self._error(answer)
        listing = decode(answer, Listing)
        if after is not None and listing.next_page_token == after:
            raise malformed("the next-page token repeats")
        return listing

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
        from statebucket_gcs.examination import examine  # noqa: PLC0415  (for the doctor only)

        # A store without a prefix has the bucket to itself; a tenant's view never does.
        whole = prefix.count("/") == 1
        return await examine(self.sender, self._path, self._bucket, whole=whole)

    @property
    def removal(self) -> Removal:
        """Rules by custom time remove expired objects."""
        from statebucket_gcs import lifecycle  # noqa: PLC0415  (for operators only)

        return lifecycle.REMOVAL

    @property
    def rule_root(self) -> str:
        """Empty: rules use the same object names as we do."""
        return ""

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """See `statebucket.port.lifecycle.LifecyclePort`; needs ``storage.buckets.get``."""
        from statebucket_gcs import lifecycle  # noqa: PLC0415  (for operators only)

        query = _encoded({"fields": lifecycle.FIELDS})
        answer = await self.sender.send("GET", self._path, query=query)
        if answer.status != _OK:
            raise self._error(answer)
        return lifecycle.read_body(answer.body)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """See `statebucket.port.lifecycle.LifecyclePort`; needs ``storage.buckets.update``."""
        from statebucket_gcs import lifecycle  # noqa: PLC0415  (for operators only)

        query, change = lifecycle.write(rules, found)
        answer = await self.sender.send(
            "PATCH",
            self._path,
            query=_encoded(query),
            headers={"content-type": JSON},
            body=[msgspec.json.encode(change)],
        )
        if answer.status != _OK:
            raise self._error(answer)
        decode(answer, dict[str, Any])

    async def close(self) -> None:
        """Closes the engine's resources, except the caller's; the next call opens them again."""
        if not self._lent:
            await self.sender.close()

    def _object(self, name: str) -> str:
        encoded = quoted(name)
        return f"{self._path}/o/{encoded}"

    def _error(self, answer: Answer, *, reads_object: bool = False) -> StateBucketError:
        return error_of(answer, self._bucket, reads_object=reads_object)


def _encoded(query: Mapping[str, str]) -> str:
    from urllib.parse import urlencode  # noqa: PLC0415  (2 ms that a first load need not spend)

    return urlencode(query)

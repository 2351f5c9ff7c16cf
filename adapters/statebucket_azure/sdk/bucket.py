"""The port, implemented on Azure Blob Storage."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from azure.storage.blob import ContentSettings

from statebucket.contract.versions import Version
from statebucket.errors import Unavailable, UnsupportedOperation
from statebucket.port.bucket import Limits, Object, ObjectInfo, Page, PrefixPage
from statebucket.port.expiry import TAG
from statebucket.port.loops import ClientPerLoop
from statebucket_azure.batch import deleted, deletions_of
from statebucket_azure.codes import BlobNotFound, malformed
from statebucket_azure.sdk import listing
from statebucket_azure.sdk.client import Connection
from statebucket_azure.sdk.errors import sdk_call
from statebucket_azure.sdk.versions import matching
from statebucket_azure.versions import version_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import ContainerClient

    from statebucket.port.bucket import Deletion, Write
    from statebucket.port.findings import Finding
    from statebucket.port.inventory_reports import InventoryReport
    from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
    from statebucket.port.remedies import Remedies
    from statebucket_azure.sdk.options import AzureOptions
    from statebucket_azure.sdk.target import Target


class AzureBucket:
    """A container on Azure Blob Storage.

    Args:
        target: The container, and the credentials for it.
        options: How to write to it.
    """

    name = "azure"
    report_scheme = "az"
    requires_network = True

    def __init__(self, target: Target, options: AzureOptions) -> None:
        self._connections = ClientPerLoop(lambda: Connection(target))
        self._target = target
        self._options = options
        self._container_name = target.container
        self._ttl_tags = options.ttl_tags
        # Tags are off for accounts with a hierarchical namespace, which list folder by folder.
        self.limits = Limits(delete_batch=256, lists_in_order=options.ttl_tags)
        self._scope: dict[str, Any] = {}
        if options.encryption_scope is not None:
            self._scope["encryption_scope"] = options.encryption_scope
        # Our clients have no retries, and the caller's client must not use its own.
        self._how: dict[str, Any] = {"retry_total": 0} if target.client is not None else {}

    async def put(self, write: Write, condition: Version | None) -> Version:
        """Stores a blob in one request, of any size that the service accepts in one."""
        creates = condition == Version.ABSENT
        only = {} if creates else matching(condition)
        tags = None
        if self._ttl_tags and write.expiry is not None and write.expiry.days is not None:
            tags = {TAG: str(write.expiry.days)}
        blob = (await self._connections.get()).blob(write.name)
        stored = await sdk_call(
            blob.upload_blob(
                write.body,
                overwrite=not creates,
                metadata=write.metadata,
                tags=tags,
                content_settings=ContentSettings(content_type=write.content_type),
                validate_content=True,  # an MD5 that the service checks
                **only,
                **self._scope,
                **self._how,
            ),
            writes=True,
        )
        return version_of(stored["etag"], writes=True)

    async def get(self, name: str) -> Object | None:
        """Reads a blob, its body and metadata, in one request."""
        blob = (await self._connections.get()).blob(name)
        try:
            download = await sdk_call(blob.download_blob(**self._how))
            body = await sdk_call(download.readall())
        except BlobNotFound:
            return None
        properties = download.properties
        settings = properties.content_settings
        if settings.content_md5 and not settings.content_encoding:
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            if digest != bytes(settings.content_md5):
                raise Unavailable("the body does not match the service's MD5")
        return Object(_info(name, properties), body)

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        """See `statebucket.port.inventory_reports.ReportBucket.get_range`."""
        from statebucket.port.inventory_reports import whole_part  # noqa: PLC0415  (operators only)

        blob = (await self._connections.get()).blob(name)
        try:
            download = await sdk_call(blob.download_blob(offset=start, length=length, **self._how))
            body = await sdk_call(download.readall())
        except BlobNotFound:
            return None
        # The SDK has compared everything in the reply but the blob's whole size.
        span = f"bytes {start}-{start + len(body) - 1}/"
        body = whole_part(body, start, length, span)
        return Object(_info(name, download.properties), body)

    def beside(self, bucket: str) -> AzureBucket:
        """See `statebucket.port.inventory_reports.Reporting.beside`."""
        return AzureBucket(self._target.beside(bucket), self._options)

    def read_report(
        self,
        name: str,  # noqa: ARG002  (the port's)
        manifest: bytes,
        areas: Sequence[str],
    ) -> InventoryReport:
        """See `statebucket.port.inventory_reports.Reporting.read_report`."""
        from statebucket_azure import reports  # noqa: PLC0415  (for operators only)

        return reports.read(self._target.account, self._container_name, manifest, areas)

    async def head(self, name: str) -> ObjectInfo | None:
        """Reads a blob's version and metadata in one request."""
        blob = (await self._connections.get()).blob(name)
        try:
            return _info(name, await sdk_call(blob.get_blob_properties(**self._how)))
        except BlobNotFound:
            return None

    async def delete(self, name: str, condition: Version | None = None) -> bool:
        """Deletes a blob, and its snapshots, in one request.

        A condition fails for a blob at another version, and for a missing one.
        """
        only = matching(condition)
        blob = (await self._connections.get()).blob(name)
        raw: list[PipelineResponse[Any, Any]] = []
        try:
            await sdk_call(
                blob.delete_blob("include", raw_response_hook=raw.append, **only, **self._how),
                writes=True,
            )
        except BlobNotFound:
            return False
        if raw[-1].http_response.body():  # a page of something between the service and us
            raise malformed(writes=True)
        return True

    async def delete_many(self, names: Sequence[str]) -> list[Deletion]:
        """Deletes up to 256 blobs, and their snapshots, in one request.

        For an identity that may delete blobs but send no batches: in a request for each.
        """
        if not names:
            return []

        async def batch() -> list[Deletion]:
            container = await self._container()
            return await sdk_call(_delete_batch(container, names, self._how), writes=True)

        return await deleted(self, names, batch)

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """Lists blobs with their metadata, in one request."""
        container = await self._container()
        return await sdk_call(
            listing.objects(container, prefix, after, limit, start_after, self._how)
        )

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """Lists the prefixes one ``/`` below ``prefix``, in one request."""
        container = await self._container()
        return await sdk_call(
            listing.prefixes(container, prefix, after, limit, start_after, self._how)
        )

    async def check(self, prefix: str) -> None:
        """Lists one blob, to find out whether the container can be reached and listed."""
        await self.list(prefix, after=None, limit=1)

    @property
    def remedies(self) -> Remedies:
        """See `statebucket.port.findings.Diagnosable`."""
        from statebucket_azure.remedies import REMEDIES  # noqa: PLC0415  (for the doctor only)

        return REMEDIES

    async def examine(self, prefix: str) -> Sequence[Finding]:
        """See `statebucket.port.findings.Diagnosable`; it only reads."""
        from statebucket_azure.sdk.examination import examine  # noqa: PLC0415  (for the doctor only)

        return await examine(await self._container(), prefix, self._how, tags=self._ttl_tags)

    @property
    def removal(self) -> Removal:
        """Rules by index tag remove expired blobs, if there are tags."""
        from statebucket.port.lifecycle import SWEEP_ONLY  # noqa: PLC0415  (for operators only)
        from statebucket_azure.lifecycle import REMOVAL  # noqa: PLC0415

        return REMOVAL if self._ttl_tags else SWEEP_ONLY

    @property
    def rule_root(self) -> str:
        """Rules belong to the account: their prefixes begin with the container."""
        return f"{self._container_name}/"

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
        """Closes the running loop's clients, and a credential that was made for them."""
        await self._connections.close()

    async def _container(self) -> ContainerClient:
        return (await self._connections.get()).container


def _info(name: str, properties: BlobProperties) -> ObjectInfo:
    if properties.size is None:
        raise malformed("it has no size")
    return ObjectInfo(
        name,
        version_of(properties.etag),
        properties.size,
        {key.lower(): value for key, value in properties.metadata.items()},
    )


async def _delete_batch(
    container: ContainerClient, names: Sequence[str], how: dict[str, Any]
) -> list[Deletion]:
    raw: list[PipelineResponse[Any, Any]] = []
    try:
        # The SDK's parser would take ten times as long to read what this returns.
        await container.delete_blobs(
            *names,
            delete_snapshots="include",
            raise_on_any_failure=False,
            raw_response_hook=raw.append,
            **how,
        )
        reply = raw[-1].http_response
        return deletions_of(reply.content_type or "", reply.body(), names)
    except (ValueError, AttributeError, HTTPException) as error:  # not a multipart reply
        raise malformed(writes=True) from error

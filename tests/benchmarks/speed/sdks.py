# ruff: noqa: PLC0415  (each imports its own library only)
"""The clouds' SDKs: with their defaults, and set up as our adapters set them up."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.speed.base import ACCOUNT, KEY, WRITE_ID, Subject
from benchmarks.speed.work import CONTAINER, REGION


class Aioboto3(Subject):
    """aioboto3 with its defaults, one client."""

    def client(self) -> Any:
        import aioboto3

        return aioboto3.Session().client("s3", region_name=REGION, endpoint_url=self.endpoint)

    async def open(self) -> None:
        self.context = self.client()
        self.s3 = await self.context.__aenter__()

    async def close(self) -> None:
        await self.context.__aexit__(None, None, None)

    async def save(self, number: int, value: Any) -> None:
        await self.s3.put_object(Bucket=CONTAINER, Key=f"{self.raw}/{number}", Body=value)

    async def load(self, number: int) -> Any:
        reply = await self.s3.get_object(Bucket=CONTAINER, Key=f"{self.raw}/{number}")
        async with reply["Body"] as body:
            return await body.read()

    async def clean(self, prefix: str) -> None:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=CONTAINER, Prefix=prefix)
        async for page in pages:
            keys = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
            if keys:
                await self.s3.delete_objects(
                    Bucket=CONTAINER, Delete={"Objects": keys, "Quiet": True}
                )

    async def list(self, prefix: str) -> int:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=CONTAINER, Prefix=prefix)
        return sum([len(page["Contents"]) async for page in pages])


class TunedS3(Aioboto3):
    """The same SDK as our adapter sets it up, which sends what our adapter has it send."""

    def client(self) -> Any:
        from statebucket_s3.sdk.client import Connection
        from statebucket_s3.sdk.options import S3Options
        from statebucket_s3.sdk.session import own_session

        options = S3Options(region=REGION, endpoint_url=self.endpoint)
        return Connection(own_session(), options, 20.0, 32)

    async def load(self, number: int) -> Any:
        reply = await self.s3.get_object(Bucket=CONTAINER, Key=f"{self.raw}/{number}")
        body = reply["Body"]
        async with body:  # its own result is the raw stream, which checks no checksum
            return await body.read()

    async def save(self, number: int, value: Any) -> None:
        await self.s3.put_object(
            Bucket=CONTAINER,
            Key=f"{self.raw}/{number}",
            Body=value,
            ContentType="application/json",
            Metadata={"writeid": WRITE_ID, "tail": "32"},
        )


class Boto3(Subject):
    """boto3 in asyncio's own threads, of which there are four more than processors."""

    async def open(self) -> None:
        import boto3
        from botocore.config import Config

        self.s3 = boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=self.endpoint,
            config=Config(max_pool_connections=32),
        )

    async def save(self, number: int, value: Any) -> None:
        def put() -> None:
            self.s3.put_object(Bucket=CONTAINER, Key=f"{self.raw}/{number}", Body=value)

        await asyncio.to_thread(put)

    async def load(self, number: int) -> Any:
        def get() -> Any:
            return self.s3.get_object(Bucket=CONTAINER, Key=f"{self.raw}/{number}")["Body"].read()

        return await asyncio.to_thread(get)

    async def clean(self, prefix: str) -> None:
        def walk() -> None:
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=CONTAINER, Prefix=prefix
            )
            for page in pages:
                keys = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
                if keys:
                    self.s3.delete_objects(
                        Bucket=CONTAINER, Delete={"Objects": keys, "Quiet": True}
                    )

        await asyncio.to_thread(walk)

    async def list(self, prefix: str) -> int:
        def walk() -> int:
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=CONTAINER, Prefix=prefix
            )
            return sum(len(page["Contents"]) for page in pages)

        return await asyncio.to_thread(walk)


class GoogleSdk(Subject):
    """google-cloud-storage with its defaults, in asyncio's own threads."""

    def make(self) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client  # type: ignore[import-untyped]

        return Client(
            project="bench",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.endpoint},
        )

    async def open(self) -> None:
        self.bucket = self.make().bucket(CONTAINER)

    async def save(self, number: int, value: Any) -> None:
        await asyncio.to_thread(self.bucket.blob(f"{self.raw}/{number}").upload_from_string, value)

    async def load(self, number: int) -> Any:
        return await asyncio.to_thread(self.bucket.blob(f"{self.raw}/{number}").download_as_bytes)

    async def clean(self, prefix: str) -> None:
        blobs = await asyncio.to_thread(lambda: list(self.bucket.list_blobs(prefix=prefix)))

        def delete(some: list[Any]) -> None:
            with self.bucket.client.batch():
                for blob in some:
                    blob.delete()

        starts = range(0, len(blobs), 100)  # the most that the service takes
        await asyncio.gather(*(asyncio.to_thread(delete, blobs[at : at + 100]) for at in starts))

    async def list(self, prefix: str) -> int:
        return await asyncio.to_thread(lambda: len(list(self.bucket.list_blobs(prefix=prefix))))


class TunedGcs(GoogleSdk):
    """The same SDK as our adapter sets it up, which stores what our adapter does."""

    async def save(self, number: int, value: Any) -> None:
        blob = self.bucket.blob(f"{self.raw}/{number}")
        blob.metadata = {"writeid": WRITE_ID}
        await asyncio.to_thread(blob.upload_from_string, value, "application/json")

    def make(self) -> Any:
        from statebucket_gcs.sdk.options import SDKOptions
        from statebucket_gcs.sdk.session import connect

        options = SDKOptions(project="bench", endpoint_url=self.endpoint, anonymous=True)
        return connect(options, 64)


class AzureSdk(Subject):
    """azure-storage-blob.aio with its defaults."""

    async def open(self) -> None:
        from azure.core.credentials import AzureNamedKeyCredential
        from azure.storage.blob.aio import ContainerClient

        self.container: Any = ContainerClient(
            self.endpoint, CONTAINER, AzureNamedKeyCredential(ACCOUNT, KEY)
        )
        self.blob: Any = self.container.get_blob_client

    async def close(self) -> None:
        await self.container.close()

    async def save(self, number: int, value: Any) -> None:
        await self.blob(f"{self.raw}/{number}").upload_blob(value, overwrite=True)

    async def load(self, number: int) -> Any:
        return await (await self.blob(f"{self.raw}/{number}").download_blob()).readall()

    async def clean(self, prefix: str) -> None:
        found = self.container.list_blob_names(name_starts_with=prefix)
        names = [name async for name in found]
        for start in range(0, len(names), 256):  # the most that the service takes
            async for _ in await self.container.delete_blobs(*names[start : start + 256]):
                pass

    async def list(self, prefix: str) -> int:
        names = self.container.list_blob_names(name_starts_with=prefix)
        return len([name async for name in names])


class TunedAzure(AzureSdk):
    """The same SDK as our adapter sets it up, which sends what our adapter has it send."""

    async def open(self) -> None:
        from azure.core.credentials import AzureNamedKeyCredential

        from statebucket.port.bucket import Location
        from statebucket_azure.sdk.client import Connection
        from statebucket_azure.sdk.options import AzureOptions
        from statebucket_azure.sdk.target import Target

        options = AzureOptions(
            account=ACCOUNT,
            endpoint_url=self.endpoint,
            credential=AzureNamedKeyCredential(ACCOUNT, KEY),
        )
        location = Location("az", CONTAINER, "", {}, 60.0, 32)
        self.context = Connection(Target(CONTAINER, options, location))
        opened = await self.context.__aenter__()
        self.container, self.blob = opened.container, opened.blob

    async def save(self, number: int, value: Any) -> None:
        from azure.storage.blob import ContentSettings

        await self.blob(f"{self.raw}/{number}").upload_blob(
            value,
            overwrite=True,
            metadata={"writeid": WRITE_ID},
            content_settings=ContentSettings(content_type="application/json"),
            validate_content=True,
        )

    async def close(self) -> None:
        await self.context.__aexit__()

# ruff: noqa: PLC0415, ARG002  (each imports its own library only; one shape of calls for all)
"""Who is measured: each offers the same calls, as its own users would write them."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from typing import Any, ClassVar

from benchmarks.speed.work import CONTAINER, DEPTH, MANY_BYTES, REGION, TENANT, body_of, text_of

KEY = "a2V5" * 16
ACCOUNT = "devstoreaccount1"
WRITE_ID = "0123456789abcdef"
"""As long as the id that our store gives each write."""


class Subject:
    """One library on one service.

    Args:
        endpoint: The service's URL.
    """

    operations: ClassVar[set[str]] = {"save", "load", "set", "get", "clean", "list"}
    most = 32
    """The most calls at a time that it is asked for."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.raw = f"raw-{type(self).__name__}"  # where its own objects are

    async def open(self) -> None:
        """Makes the client."""

    async def close(self) -> None:
        """Closes it."""

    def value(self, operation: str, size: int) -> Any:
        """What is to be saved or set: bytes, for most."""
        return body_of(size)

    async def save(self, number: int, value: Any) -> None:
        raise NotImplementedError

    async def load(self, number: int) -> Any:
        raise NotImplementedError

    async def set(self, number: int, value: Any) -> None:
        await self.save(number, value)

    async def get(self, number: int) -> Any:
        return await self.load(number)

    async def clean(self, prefix: str) -> None:
        """Removes everything below a prefix."""
        raise NotImplementedError

    async def list(self, prefix: str) -> int:
        """Lists the names below a prefix."""
        raise NotImplementedError


class Ours(Subject):
    """Our whole store, with its snapshots, versions, expiry and retries."""

    scheme = "s3"
    more = ""

    async def open(self) -> None:
        from statebucket import open_store

        if self.scheme == "s3":
            query = f"region={REGION}&endpoint_url={self.endpoint}{self.more}"
        elif self.scheme == "gs":
            query = f"anonymous=true&endpoint_url={self.endpoint}{self.more}"
        else:
            query = f"account={ACCOUNT}&endpoint_url={self.endpoint}{self.more}"
        self.store = open_store(
            f"{self.scheme}://{CONTAINER}/app?{query}&deadline=60", **self.secret()
        )
        self.tenant = self.store.tenant(TENANT)

    def secret(self) -> dict[str, Any]:
        """What the store is opened with besides its URL."""
        return {}

    async def close(self) -> None:
        await self.store.shutdown()

    def value(self, operation: str, size: int) -> Any:
        if operation == "set":
            return body_of(size)
        from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId

        text = text_of(size - 250)
        return [
            ExecutionSnapshot(
                execution_id=ExecutionId(f"e{number}"),
                tenant_id=TenantId(TENANT),
                state=ExecutionState.RUNNING,
                sequence_number=1,
                variables={"text": text},
            )
            for number in range((8 if size > MANY_BYTES else 32) * DEPTH)
        ]

    async def save(self, number: int, value: Any) -> None:
        await self.tenant.save_snapshot(value[number])

    async def load(self, number: int) -> Any:
        return await self.tenant.load_snapshot(f"e{number}")

    async def set(self, number: int, value: Any) -> None:
        await self.tenant.set(f"k{number}", value)

    async def get(self, number: int) -> Any:
        return await self.tenant.get(f"k{number}")

    async def clean(self, prefix: str) -> None:
        await self.tenant.delete_execution_state("clean")

    async def list(self, prefix: str) -> int:
        return len(await self.tenant.list_snapshots(TENANT, 100_000))


class OursHttp(Ours):
    """The same on the lean engine."""

    more = "&engine=http"


class OursGcs(Ours):
    """Our store on Cloud Storage."""

    scheme = "gs"


class OursGcsHttp(OursGcs):
    """The same on the lean engine."""

    more = "&engine=http"


class OursAzure(Ours):
    """Our store on Azure Blob."""

    scheme = "az"

    def secret(self) -> dict[str, Any]:
        """The account's key, as the engine takes it."""
        from azure.core.credentials import AzureNamedKeyCredential

        return {"credential": AzureNamedKeyCredential(ACCOUNT, KEY)}


class OursAzureHttp(OursAzure):
    """The same on the lean engine."""

    more = "&engine=http"

    def secret(self) -> dict[str, Any]:
        """The account's key, without the SDK."""
        return {"account_key": KEY}


class OursBlocking(OursHttp):
    """The blocking store on the lean engine, in the thread that measures it."""

    operations: ClassVar[set[str]] = {"save", "load", "set", "get"}
    most = 1

    async def open(self) -> None:
        from statebucket.sync import open_store

        query = f"region={REGION}&endpoint_url={self.endpoint}{self.more}"
        self.blocking = open_store(f"s3://{CONTAINER}/app?{query}&deadline=60")
        self.view = self.blocking.tenant(TENANT)

    async def close(self) -> None:
        self.blocking.shutdown()

    async def save(self, number: int, value: Any) -> None:
        self.view.save_snapshot(value[number])

    async def load(self, number: int) -> Any:
        return self.view.load_snapshot(f"e{number}")

    async def set(self, number: int, value: Any) -> None:
        self.view.set(f"k{number}", value)

    async def get(self, number: int) -> Any:
        return self.view.get(f"k{number}")


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


class PyKeyValue(Subject):
    """py-key-value's S3 store, which encodes a dictionary."""

    operations: ClassVar[set[str]] = {"save", "load", "set", "get"}

    async def open(self) -> None:
        from key_value.aio.stores.s3 import S3Store

        self.store = S3Store(bucket_name=CONTAINER, region_name=REGION, endpoint_url=self.endpoint)
        await self.store.__aenter__()

    async def close(self) -> None:
        await self.store.__aexit__(None, None, None)

    def value(self, operation: str, size: int) -> Any:
        return {"text": text_of(size - 150)}

    async def save(self, number: int, value: Any) -> None:
        await self.store.put(key=f"{number}", collection=self.raw, value=value)

    async def load(self, number: int) -> Any:
        return await self.store.get(key=f"{number}", collection=self.raw)


class S3fs(Subject):
    """s3fs, asynchronous, without its cache of listings."""

    async def open(self) -> None:
        from s3fs import S3FileSystem

        self.fs = S3FileSystem(
            asynchronous=True,
            endpoint_url=self.endpoint,
            client_kwargs={"region_name": REGION},
            use_listings_cache=False,
        )
        self.session = await self.fs.set_session()

    async def close(self) -> None:
        await self.session.close()

    async def save(self, number: int, value: Any) -> None:
        await self.fs._pipe_file(f"{CONTAINER}/{self.raw}/{number}", value)

    async def load(self, number: int) -> Any:
        return await self.fs._cat_file(f"{CONTAINER}/{self.raw}/{number}")

    async def clean(self, prefix: str) -> None:
        await self.fs._rm(f"{CONTAINER}/{prefix}", recursive=True)

    async def list(self, prefix: str) -> int:
        return len(await self.fs._find(f"{CONTAINER}/{prefix}"))


class LangGraph(Subject):
    """langgraph-checkpoint-s3: saves and loads a checkpoint, a saver's own kind of snapshot."""

    operations: ClassVar[set[str]] = {"save", "load"}
    most = 1  # it makes a client for each call, a tenth of a second each

    async def open(self) -> None:
        from langgraph_checkpoint_s3 import AsyncS3CheckpointSaver

        # It makes a client for each call, and has the endpoint from the environment only.
        os.environ["AWS_ENDPOINT_URL_S3"] = self.endpoint
        self.saver = AsyncS3CheckpointSaver(CONTAINER, prefix="langgraph/")

    def value(self, operation: str, size: int) -> Any:
        from langgraph.checkpoint.base import empty_checkpoint

        return empty_checkpoint() | {"channel_values": {"text": text_of(size - 350)}}

    async def save(self, number: int, value: Any) -> None:
        config: Any = {"configurable": {"thread_id": f"t{number}", "checkpoint_ns": ""}}
        await self.saver.aput(config, value, {}, {})

    async def load(self, number: int) -> Any:
        config: Any = {"configurable": {"thread_id": f"t{number}", "checkpoint_ns": ""}}
        return await self.saver.aget_tuple(config)


class Obstore(Subject):
    """obstore, compiled from Rust: the floor of a real library."""

    def make(self) -> Any:
        from obstore.store import S3Store

        return S3Store(
            CONTAINER, region=REGION, endpoint=self.endpoint, client_options={"allow_http": True}
        )

    async def open(self) -> None:
        import obstore

        self.obstore = obstore
        self.store = self.make()

    async def save(self, number: int, value: Any) -> None:
        await self.obstore.put_async(self.store, f"{self.raw}/{number}", value, use_multipart=False)

    async def load(self, number: int) -> Any:
        reply = await self.obstore.get_async(self.store, f"{self.raw}/{number}")
        return await reply.bytes_async()

    async def clean(self, prefix: str) -> None:
        async for page in self.obstore.list(self.store, prefix, chunk_size=1000):
            await self.obstore.delete_async(self.store, [entry["path"] for entry in page])

    async def list(self, prefix: str) -> int:
        pages = self.obstore.list(self.store, prefix, chunk_size=1000)
        return sum([len(page) async for page in pages])


class ObstoreBlocking(Obstore):
    """obstore's blocking calls."""

    operations: ClassVar[set[str]] = {"save", "load", "set", "get"}
    most = 1

    async def save(self, number: int, value: Any) -> None:
        self.obstore.put(self.store, f"{self.raw}/{number}", value, use_multipart=False)

    async def load(self, number: int) -> Any:
        return self.obstore.get(self.store, f"{self.raw}/{number}").bytes()


class ObstoreGcs(Obstore):
    """obstore on Cloud Storage."""

    def make(self) -> Any:
        from obstore.store import GCSStore

        account = {
            "gcs_base_url": self.endpoint,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        return GCSStore(
            CONTAINER,
            service_account_key=json.dumps(account),
            skip_signature=True,
            client_options={"allow_http": True},
        )


class ObstoreAzure(Obstore):
    """obstore on Azure Blob."""

    def make(self) -> Any:
        from obstore.store import AzureStore

        return AzureStore(
            CONTAINER,
            account_name=ACCOUNT,
            account_key=KEY,
            endpoint=self.endpoint,
            client_options={"allow_http": True},
        )


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


SUBJECTS: dict[str, dict[str, tuple[str, type[Subject]]]] = {
    "s3": {
        "statebucket": ("aioboto3", Ours),
        "statebucket, engine=http": ("statebucket_http", OursHttp),
        "statebucket.sync, engine=http": ("statebucket_http", OursBlocking),
        "tuned SDK by hand": ("aioboto3", TunedS3),
        "aioboto3 by hand": ("aioboto3", Aioboto3),
        "boto3 in threads": ("boto3", Boto3),
        "py-key-value S3Store": ("key_value", PyKeyValue),
        "s3fs": ("s3fs", S3fs),
        "langgraph-checkpoint-s3": ("langgraph_checkpoint_s3", LangGraph),
        "obstore": ("obstore", Obstore),
        "obstore, blocking": ("obstore", ObstoreBlocking),
    },
    "gcs": {
        "statebucket": ("google.cloud.storage", OursGcs),
        "statebucket, engine=http": ("statebucket_http", OursGcsHttp),
        "tuned SDK by hand": ("google.cloud.storage", TunedGcs),
        "google-cloud-storage in threads": ("google.cloud.storage", GoogleSdk),
        "obstore": ("obstore", ObstoreGcs),
    },
    "azure": {
        "statebucket": ("azure.storage.blob", OursAzure),
        "statebucket, engine=http": ("statebucket_http", OursAzureHttp),
        "tuned SDK by hand": ("azure.storage.blob", TunedAzure),
        "azure-storage-blob.aio by hand": ("azure.storage.blob", AzureSdk),
        "obstore": ("obstore", ObstoreAzure),
    },
}
"""By service: each subject with the package that it needs."""


def installed(cloud: str) -> list[str]:
    """The subjects that can be measured here."""
    return [
        name
        for name, (package, _) in SUBJECTS[cloud].items()
        if importlib.util.find_spec(package) is not None
    ]

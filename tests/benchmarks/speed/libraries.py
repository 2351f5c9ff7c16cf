# ruff: noqa: PLC0415, ARG002  (each imports its own library only; one shape of calls for all)
"""Other libraries that keep state or objects in a bucket."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar

from benchmarks.speed.base import ACCOUNT, KEY, Subject
from benchmarks.speed.work import CONTAINER, REGION, text_of


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

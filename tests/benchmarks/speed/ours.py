# ruff: noqa: PLC0415, ARG002  (each imports its own library only; one shape of calls for all)
"""statebucket: each engine, and the blocking store."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmarks.speed.base import ACCOUNT, KEY, Subject
from benchmarks.speed.work import CONTAINER, DEPTH, MANY_BYTES, REGION, TENANT, body_of, text_of


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

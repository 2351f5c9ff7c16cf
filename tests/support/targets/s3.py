"""A bucket on an S3 server, inspected through boto3."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from statebucket import StateStore, open_store
from statebucket.testing import RawObject, Target
from support.targets.many import put_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server

BUCKET = "statebucket-contract"


@cache
def raw_client(server: Server) -> Any:
    """A boto3 client that connects directly to the server.

    It is the same for all tests, which do not close it: to make one takes 7 ms of a processor.
    """
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
    )


class S3Target(Target):
    """A prefix of its own in a bucket.

    Args:
        server: The server of the bucket, which the fixture creates.
        client: A boto3 client for it.
        proxy: The proxy that counts the store's requests; None for a direct connection.
        engine: The store's engine.
        query: Further parameters of the store's URL, such as "&etag_quotes=false".
    """

    lists_metadata = False
    bucket = BUCKET

    def __init__(
        self,
        server: Server,
        client: Any,
        proxy: FaultProxy | None = None,
        engine: str = "sdk",
        query: str = "",
    ) -> None:
        super().__init__()
        self.server = server
        self.client = client
        self.proxy = proxy
        self.engine = engine
        self.query = query
        self.prefix = f"{uuid4().hex}/state/"

    @property
    def url(self) -> str:
        """The store's URL."""
        endpoint = self.server.url if self.proxy is None else self.proxy.url
        options = f"endpoint_url={endpoint}&region=us-east-1&engine={self.engine}{self.query}"
        return f"s3://{self.bucket}/{self.prefix[:-1]}?{options}"

    def open(self, **options: Any) -> StateStore:
        return open_store(self.url, **{"clock": self.clock} | options)

    def raw_names(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix
        )
        return sorted(
            entry["Key"].removeprefix(self.prefix)
            for page in pages
            for entry in page.get("Contents", ())
        )

    def raw_get(self, name: str) -> RawObject | None:
        try:
            reply = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
        except self.client.exceptions.NoSuchKey:
            return None
        return RawObject(reply["Body"].read(), reply["Metadata"])

    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self.client.put_object(
            Bucket=self.bucket, Key=self.prefix + name, Body=body, Metadata=dict(metadata or {})
        )

    def raw_put_many(self, names: Iterable[str], body: bytes = b"v") -> None:
        keys = Credentials(self.server.access_key, self.server.secret_key)
        signer = S3SigV4Auth(keys, "s3", "us-east-1")

        def put(name: str) -> tuple[str, dict[str, str]]:
            path = f"/{self.bucket}/{quote(self.prefix + name, safe='/~')}"
            request = AWSRequest("PUT", self.server.url + path, data=body)
            signer.add_auth(request)
            return path, dict(request.headers.items())

        put_all(self.server.url, map(put, names), body)

    def requests(self) -> int | None:
        if self.proxy is None:
            return None
        count = self.proxy.count()
        self.proxy.clear()
        return count

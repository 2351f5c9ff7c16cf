"""Stores one object with each service's own SDK, to show that a server or proxy works."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import boto3
from azure.storage.blob import BlobServiceClient
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Server

# Imported in this way so that they are Any: only some of Google's packages publish types.
storage: Any = importlib.import_module("google.cloud.storage")
credentials: Any = importlib.import_module("google.auth.credentials")

BUCKET = "a-bucket"
NAME = "a/b c~2F%é"


def s3_client(server: Server) -> Any:
    """Give a client of S3 that does not retry."""
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )


def gcs_client(server: Server) -> Any:
    """Give a client of Cloud Storage."""
    return storage.Client(
        project="test",
        credentials=credentials.AnonymousCredentials(),
        client_options={"api_endpoint": server.url},
    )


def azure_client(server: Server) -> BlobServiceClient:
    """Give a client of Azure Blob that does not retry."""
    return BlobServiceClient.from_connection_string(server.connection_string, retry_total=0)


def s3_round_trip(server: Server, body: bytes) -> bytes:
    """Put and get an object."""
    client = s3_client(server)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=NAME, Body=body)
    got: bytes = client.get_object(Bucket=BUCKET, Key=NAME)["Body"].read()
    client.close()
    return got


def gcs_round_trip(server: Server, body: bytes) -> bytes:
    """Put and get an object."""
    client = gcs_client(server)
    bucket = client.create_bucket(BUCKET)
    blob = bucket.blob(NAME)
    blob.upload_from_string(body)
    # By the URL that the server returned, which must also lead through a proxy.
    got: bytes = blob.download_as_bytes()
    client.close()
    return got


def azure_round_trip(server: Server, body: bytes) -> bytes:
    """Put and get an object."""
    with azure_client(server) as client:
        container = client.create_container(BUCKET)
        container.upload_blob(NAME, body)
        return container.download_blob(NAME).readall()


ROUND_TRIPS: dict[str, Callable[[Server, bytes], bytes]] = {
    "s3": s3_round_trip,
    "gcs": gcs_round_trip,
    "azure": azure_round_trip,
}

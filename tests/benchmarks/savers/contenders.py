# ruff: noqa: PLC0415  (each imports its own library only)
"""The savers that are compared, all through their blocking calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

CONTAINER = "bench"
_REGION = "us-east-1"


class Contender(NamedTuple):
    """A saver that is compared.

    Attributes:
        name: What the table calls it.
        server: What it talks to: "s3", "dynamodb", or nothing.
        opened: Opens it, given that server's endpoint and a folder.
    """

    name: str
    server: str
    opened: Callable[[str, str], AbstractContextManager[Any]]


@contextmanager
def _ours_on_s3(endpoint: str, _folder: str) -> Iterator[Any]:
    from statebucket_langgraph import StatebucketSaver

    url = f"s3://{CONTAINER}/ours?engine=http&region={_REGION}&endpoint_url={endpoint}"
    with StatebucketSaver.from_conn_string(url) as saver:
        yield saver


@contextmanager
def _ours_on_sqlite(_endpoint: str, folder: str) -> Iterator[Any]:
    from statebucket_langgraph import StatebucketSaver

    with StatebucketSaver.from_conn_string(f"sqlite:///{folder}/ours.db") as saver:
        yield saver


@contextmanager
def _objectstorage(endpoint: str, _folder: str) -> Iterator[Any]:
    from langgraph_checkpoint_objectstorage import ObjectStorageSaver

    where = {"endpoint_url": endpoint, "region_name": _REGION}
    yield ObjectStorageSaver.from_conn_string(f"s3://{CONTAINER}/theirs", client_kwargs=where)


@contextmanager
def _dynamodb(endpoint: str, _folder: str) -> Iterator[Any]:
    import boto3
    from langgraph_checkpoint_aws import DynamoDBSaver

    client = boto3.client("dynamodb", endpoint_url=endpoint, region_name=_REGION)
    client.create_table(
        TableName=CONTAINER,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")
        ],
        KeySchema=[
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ],
    )
    yield DynamoDBSaver(CONTAINER, region_name=_REGION, endpoint_url=endpoint)


@contextmanager
def _sqlite(_endpoint: str, folder: str) -> Iterator[Any]:
    from langgraph.checkpoint.sqlite import SqliteSaver

    with SqliteSaver.from_conn_string(f"{folder}/theirs.db") as saver:
        yield saver


CONTENDERS = [
    Contender("statebucket, S3 with `engine=http`", "s3", _ours_on_s3),
    Contender("`langgraph-checkpoint-objectstorage`, S3", "s3", _objectstorage),
    Contender("`langgraph-checkpoint-aws`, DynamoDB", "dynamodb", _dynamodb),
    Contender("statebucket, SQLite", "", _ours_on_sqlite),
    Contender("`langgraph-checkpoint-sqlite`", "", _sqlite),
]

"""A moto that enforces IAM policies by action and object. It ignores conditions."""

from __future__ import annotations

import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aioboto3
import boto3

from statebucket import StateStore, open_store
from support.servers.moto import running_moto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server

REGION = "us-east-1"


class Enforcing:
    """The server, and stores for users with a policy.

    Args:
        server: A moto.
        bucket: The bucket to make.
    """

    def __init__(self, server: Server, bucket: str) -> None:
        self.server = server
        self.bucket = bucket
        self._session = boto3.Session(
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            region_name=REGION,
        )
        self._session.client("s3", endpoint_url=server.url).create_bucket(Bucket=bucket)
        self._keys: dict[str, tuple[str, str]] = {}

    def user(self, name: str, policy: str) -> None:
        """Creates a user that has one policy and no other right."""
        iam = self._session.client("iam", endpoint_url=self.server.url)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self._keys[name] = (key["AccessKeyId"], key["SecretAccessKey"])

    def enforce(self) -> None:
        """From now on each request needs a right."""
        request = urllib.request.Request(
            f"{self.server.url}/moto-api/reset-auth",
            data=b"0",
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    def store(self, name: str, prefix: str) -> StateStore:
        """A store below a prefix, with a user's keys."""
        key, secret = self._keys[name]
        session = aioboto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)
        return open_store(
            f"s3://{self.bucket}/{prefix}?region={REGION}&endpoint_url={self.server.url}",
            session=session,
        )


@contextmanager
def enforcing(bucket: str) -> Iterator[Enforcing]:
    """A server of its own, since it refuses the requests of every other test."""
    with running_moto() as server:
        yield Enforcing(server, bucket)

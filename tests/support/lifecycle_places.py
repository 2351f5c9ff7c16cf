"""Buckets on servers that store lifecycle rules; these are read and written around the store."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from statebucket.lifecycle.rules import digest
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from support.servers import Server

Raw = dict[str, Any]

FOREIGN_S3 = {
    "ID": "logs",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 3},
}
FOREIGN_GCS = {"action": {"type": "Delete"}, "condition": {"age": 3, "matchesPrefix": ["logs/"]}}


class S3:
    """A bucket on S3 and its rules."""

    foreign = FOREIGN_S3

    def __init__(self, server: Server) -> None:
        self.client = raw_client(server)
        self.bucket = f"b-{uuid4().hex}"
        self.client.create_bucket(Bucket=self.bucket)
        self.url = f"s3://{self.bucket}/app?region=us-east-1&endpoint_url={server.url}"

    def rules(self) -> list[Raw]:
        reply = self.client.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        rules: list[Raw] = reply["Rules"]
        return rules

    def put(self, rules: list[Raw]) -> None:
        self.client.put_bucket_lifecycle_configuration(
            Bucket=self.bucket, LifecycleConfiguration={"Rules": rules}
        )

    def shorten(self, rules: list[Raw]) -> None:
        next(rule for rule in rules if rule["ID"].endswith("-ttl-16-tenants"))["Expiration"] = {
            "Days": 3
        }

    def own_by_terraform(self, rules: list[Raw]) -> None:
        for rule in rules:
            rule["ID"] = (
                f"statebucket-tf-{rule['ID'].removeprefix('statebucket-').removeprefix('tf-')}"
            )
        self.put(rules)


class GCS:
    """A bucket on Cloud Storage and its rules."""

    foreign = FOREIGN_GCS

    def __init__(self, server: Server) -> None:
        self.bucket = f"b-{uuid4().hex}"
        self.api = f"{server.url}/storage/v1/b"
        self.url = f"gs://{self.bucket}/app?anonymous=true&endpoint_url={server.url}"
        self._send("POST", f"{self.api}?project=p", {"name": self.bucket})

    def rules(self) -> list[Raw]:
        bucket = self._send("GET", f"{self.api}/{self.bucket}")
        rules: list[Raw] = bucket.get("lifecycle", {}).get("rule", [])
        return rules

    def put(self, rules: list[Raw], labels: Raw | None = None) -> None:
        body = {"lifecycle": {"rule": rules}} | ({"labels": labels} if labels else {})
        self._send("PATCH", f"{self.api}/{self.bucket}", body)

    def shorten(self, rules: list[Raw]) -> None:
        rules[1]["condition"]["daysSinceCustomTime"] = 0

    def own_by_terraform(self, rules: list[Raw]) -> None:
        labels = {"statebucket-lifecycle": "terraform", "statebucket-prefix": digest("app")}
        self.put(rules, labels)

    @staticmethod
    def _send(method: str, url: str, body: Raw | None = None) -> Raw:
        request = urllib.request.Request(
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            read: Raw = json.load(answer)
            return read

"""The key sources that the environment can name, and their replies as AWS documents them."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from statebucket import StateStore, open_store
from statebucket.port.bucket import Location
from statebucket_s3 import open_bucket_over_http
from support.fault_proxy.messages import Reply
from support.fault_proxy.proxy import Answer, AnswerWith

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    import pytest

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Fault, FaultProxy
    from support.fault_proxy.record import Recorded

SECRET = "hunter2"
JSON = (("Content-Type", "application/json"),)
XML = (("Content-Type", "text/xml"),)
ROLE = "app-role"
ARN = f"arn:aws:iam::123456789012:role/{ROLE}"
TOKEN_PATH = "/latest/api/token"
ROLES_PATH = "/latest/meta-data/iam/security-credentials/"
SESSION_TOKEN = f"{SECRET}-of-the-instance=="


def moment(seconds: float) -> str:
    """When so many seconds have passed, as AWS writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def body(key: str, seconds: float = 21600, **changes: Any) -> bytes:
    """A key, as containers and instances get it; a change to None leaves a part out."""
    said = {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": key,
        "SecretAccessKey": SECRET,
        "Token": f"{SECRET}-token",
        "Expiration": moment(seconds),
    }
    left = {name: value for name, value in (said | changes).items() if value is not None}
    return json.dumps(left).encode()


def of_container(key: str, seconds: float = 21600) -> Fault:
    """A container's key; agents send no ``Code``."""
    return Answer(200, JSON, body(key, seconds, Code=None, Type=None, RoleArn=ARN))


def of_instance(key: str, seconds: float = 21600) -> Fault:
    """An instance's key, with what leads to it."""
    return instance(Reply(200, JSON, body(key, seconds)))


ROLES = Reply(200, (), ROLE.encode())
TOKEN = Reply(200, (), SESSION_TOKEN.encode())


def instance(key: Reply, roles: Reply = ROLES, token: Reply = TOKEN) -> Fault:
    """A metadata service that has these answers, and only to whom it is open."""

    def answer(request: Recorded) -> Reply:
        if (request.method, request.target) == ("PUT", TOKEN_PATH):
            return token
        if request.header("x-aws-ec2-metadata-token") != SESSION_TOKEN:
            return Reply(401, (), b"")
        return {ROLES_PATH: roles, ROLES_PATH + ROLE: key}.get(request.target, Reply(404, (), b""))

    return AnswerWith(answer)


def of_sts(key: str, seconds: float = 3600) -> Fault:
    """The key of a role that a web identity takes."""
    return Answer(200, XML, sts_body(key, moment(seconds)))


def sts_body(key: str, ends: str) -> bytes:
    return f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <Audience>sts.amazonaws.com</Audience>
    <AssumedRoleUser><Arn>{ARN}/app</Arn><AssumedRoleId>A:app</AssumedRoleId></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId>
      <SecretAccessKey>{SECRET}</SecretAccessKey>
      <SessionToken>{SECRET}-token</SessionToken>
      <Expiration>{ends}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>""".encode()


def sts_error(status: int, code: str) -> Answer:
    """An error, as STS answers it; its text quotes what was sent."""
    text = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    return Answer(status, XML, f"<ErrorResponse>{text}</ErrorResponse>".encode())


def container(patch: pytest.MonkeyPatch, service: FaultProxy, _: Path) -> None:
    """Has the environment of a container of ECS, or of a function of SnapStart."""
    patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/v2/credentials?id=a-1")
    patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", f"Basic {SECRET}")


def pod(patch: pytest.MonkeyPatch, service: FaultProxy, folder: Path) -> None:
    """Has the environment of a pod of EKS with a pod identity."""
    (folder / "pod-token").write_text(SECRET)
    patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/v1/credentials")
    patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(folder / "pod-token"))


def machine(patch: pytest.MonkeyPatch, service: FaultProxy, _: Path) -> None:
    """Has the environment of a program on an instance."""
    patch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{service.url}/")


def web_identity(patch: pytest.MonkeyPatch, service: FaultProxy, folder: Path) -> None:
    """Has the environment of a pod of EKS with a role for its service account."""
    (folder / "token").write_text(f"{SECRET}.jwt\n")
    patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(folder / "token"))
    patch.setenv("AWS_ROLE_ARN", ARN)
    patch.setenv("AWS_ENDPOINT_URL_STS", service.url)


class Source(NamedTuple):
    """A source of keys: what the environment is like, how it gives a key, in how many requests."""

    environment: Callable[[pytest.MonkeyPatch, FaultProxy, Path], None]
    granted: Callable[..., Fault]
    requests: int = 1


SOURCES = {
    "container": Source(container, of_container),
    "instance": Source(machine, of_instance, 3),
    "web identity": Source(web_identity, of_sts),
}


def opened(bucket: FaultProxy, **options: Any) -> StateStore:
    """A store whose keys are not given."""
    return open_store(f"s3://bucket/app?endpoint_url={bucket.url}&engine=http", **options)


def port_of(bucket: FaultProxy) -> Bucket:
    """What is below such a store, which tries nothing again."""
    return open_bucket_over_http(
        Location("s3", "bucket", "", {"endpoint_url": bucket.url}, 10.0, 4)
    ).bucket


def keys_of(bucket: FaultProxy) -> list[str]:
    """The access key that signed each request."""
    said = [str(request.header("authorization")) for request in bucket.requests]
    return [text.partition("Credential=")[2].partition("/")[0] for text in said]


def without_keys(patch: pytest.MonkeyPatch) -> None:
    """Takes everything from the environment that names credentials."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name not in _KEPT:
            patch.delenv(name)


_KEPT = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}

"""The doctor on engine=http: its requests, and what it concludes from the replies."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SDKCredentials
from botocore.session import get_session

from adapters.s3.http.test_endpoints import REGIONS
from statebucket.errors import Unavailable
from statebucket_http.wire import Endpoint, Reply, Request
from statebucket_s3.http.endpoints import account_of, sts_of
from statebucket_s3.http.examination import examine, sts_headers
from statebucket_s3.http.settings import Settings
from statebucket_s3.http.signing import Credentials

KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI", "a-token")
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def at(region: str | None, endpoint_url: str | None = None) -> Settings:
    return Settings(region, endpoint_url, fips=False, dualstack=False, ca_bundle=None)


NOWHERE = at("eu-west-1", "http://127.0.0.1:9")


@pytest.mark.parametrize("region", [one for one in REGIONS if one not in {None, "aws-global"}])
def test_sts_is_asked_where_the_sdk_asks(region: str) -> None:
    client: Any = get_session().create_client(
        "sts", region_name=region, aws_access_key_id="a", aws_secret_access_key="b"
    )
    assert f"https://{sts_of(at(region)).host}" == client.meta.endpoint_url


def test_what_stands_in_for_s3_stands_in_for_sts() -> None:
    assert sts_of(at("r-1", "http://minio:9000/base/")) == Endpoint(
        "http", "minio:9000", "/base", "r-1"
    )
    assert sts_of(at("us-east-1", "https://s3.us-east-1.amazonaws.com")).host == (
        "sts.us-east-1.amazonaws.com"
    )


def test_the_account_is_beside_the_bucket() -> None:
    assert account_of(at("eu-west-1")) == Endpoint(
        "https", "s3.eu-west-1.amazonaws.com", "", "eu-west-1"
    )


def test_the_question_to_sts_is_signed_as_the_sdk_signs_it() -> None:
    url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    theirs = AWSRequest("GET", url)
    SigV4Auth(SDKCredentials(*KEY), "sts", "eu-west-1").add_auth(theirs)
    headers = sts_headers(
        sts_of(at("eu-west-1")), Credentials(*KEY), moment=theirs.headers["X-Amz-Date"]
    )
    assert headers["authorization"] == theirs.headers["Authorization"]
    assert headers["x-amz-security-token"] == KEY[2]


async def refused(_: Request) -> Reply:
    return Reply(403, {"date": DATE}, b"<Error><Code>AccessDenied</Code></Error>")


async def malformed(_: Request) -> Reply:
    return Reply(200, {"date": DATE}, b"<html>")


async def lost(_: Request) -> Reply:
    raise Unavailable("no answer")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("send", "code"), [(refused, "AccessDenied"), (malformed, "not XML"), (lost, "Unavailable")]
)
async def test_what_is_not_told_is_unknown_and_no_error(send: Any, code: str) -> None:
    findings = {one.check: one for one in await examine("b", NOWHERE, Credentials(*KEY), "", send)}
    for check in ("versions", "public"):
        assert findings[check].status == "unknown"
        assert findings[check].message.endswith(f"({code})")
    assert findings["identity"].message == "STS does not say: Unavailable"
    assert findings["clock"].status == ("unknown" if send is lost else "warning")

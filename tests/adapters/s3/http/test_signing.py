"""Signatures: AWS's published examples, and botocore's signer over generated requests."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import NamedTuple
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SDKCredentials
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from statebucket_http.wire import Endpoint, Request
from statebucket_s3.http.signing import Credentials, S3Signer, Signer, timestamp

EMPTY = sha256(b"").hexdigest()
SUITE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
EXAMPLES = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
IN_2013 = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"}
IN_2015 = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}


class Vector(NamedTuple):
    method: str
    path: str
    query: str
    headers: dict[str, str]
    signature: str
    body: bytes = b""


# From the AWS Signature Version 4 test suite, docs.aws.amazon.com/general/latest/gr/
# signature-v4-test-suite.html, those that need no path or query other than S3 has.
GENERAL = {
    "get-vanilla": Vector(
        "GET", "/", "", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    ),
    "post-vanilla": Vector(
        "POST", "/", "", {}, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    ),
    "get-vanilla-query-order-key-case": Vector(
        "GET",
        "/",
        "Param1=value1&Param2=value2",
        {},
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-header-key-duplicate": Vector(
        "GET",
        "/",
        "",
        {"my-header1": "value2,value2,value1"},
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-header-value-trim": Vector(
        "GET",
        "/",
        "",
        {"my-header1": " value1", "my-header2": ' "a   b   c"'},
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-header-key-sort": Vector(
        "POST",
        "/",
        "",
        {"my-header1": "value1"},
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
}
# From "Signature Calculations for the Authorization Header", docs.aws.amazon.com/AmazonS3/latest/
# API/sig-v4-header-based-auth.html: each of its examples.
S3 = {
    "GET Object": Vector(
        "GET",
        "/test.txt",
        "",
        {"range": "bytes=0-9"},
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "PUT Object": Vector(
        "PUT",
        "/test%24file.text",
        "",
        {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        b"Welcome to Amazon S3.",
    ),
    "GET Bucket Lifecycle": Vector(
        "GET",
        "/",
        "lifecycle=",
        {},
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "GET Bucket (List Objects)": Vector(
        "GET",
        "/",
        "max-keys=2&prefix=J",
        {},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


def signature(signer: Signer, key: Credentials, vector: Vector, common: dict[str, str]) -> str:
    payload = sha256(vector.body).hexdigest()
    said = signer.authorization(
        key,
        "us-east-1",
        common["x-amz-date"],
        method=vector.method,
        path=vector.path,
        query=vector.query,
        headers=common | vector.headers,
        payload=payload,
    )
    return said.rpartition("Signature=")[2]


@pytest.mark.parametrize("name", GENERAL)
def test_the_published_suite(name: str) -> None:
    assert signature(Signer("service"), SUITE, GENERAL[name], IN_2015) == GENERAL[name].signature


@pytest.mark.parametrize("name", S3)
def test_the_published_examples_of_s3(name: str) -> None:
    vector = S3[name]
    common = IN_2013 | {"x-amz-content-sha256": sha256(vector.body).hexdigest()}
    assert signature(Signer("s3"), EXAMPLES, vector, common) == vector.signature


LETTERS = "".join(map(chr, range(0x20, 0x7F))) + "äß\u20ac\U0001f600"
NAMES = ("x-amz-meta-writeid", "x-amz-meta-a1", "if-match", "content-type", "range", "x-amz-acl")


def text(random: Random, longest: int, letters: str = LETTERS) -> str:
    return "".join(random.choices(letters, k=random.randint(0, longest)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_botocore_signs_the_same(seed: int) -> None:
    random = Random(seed)
    for _ in range(100):
        method = random.choice(["GET", "PUT", "POST", "DELETE", "HEAD"])
        path = "/bucket/" + quote(text(random, 30), safe="/~")
        asked = {text(random, 8, "abc-xyz") + "q": text(random, 12) for _ in range(3)}
        query = "&".join(f"{name}={quote(asked[name], safe='~')}" for name in sorted(asked))
        given_headers = {
            name: text(random, 20, LETTERS[:95])
            for name in random.sample(NAMES, random.randint(0, len(NAMES)))
        }
        body = random.randbytes(random.randint(0, 40))
        key = ("AKID", random.choice(["one", "two/+"]), random.choice([None, "AQoDY//+wEX=="]))
        region = random.choice(["us-east-1", "eu-central-1", "cn-north-1"])
        host = random.choice(["host.example", "host.example:9000"])
        theirs = AWSRequest(
            method, f"http://{host}{path}?{query}", data=body, headers=given_headers
        )
        S3SigV4Auth(SDKCredentials(*key), "s3", region).add_auth(theirs)
        headers = {
            **given_headers,
            "host": host,
            "x-amz-date": theirs.headers["X-Amz-Date"],
            "x-amz-content-sha256": sha256(body).hexdigest(),
        }
        if key[2] is not None:
            headers["x-amz-security-token"] = key[2]
        ours = SIGNER.authorization(
            Credentials(*key),
            region,
            headers["x-amz-date"],
            method=method,
            path=path,
            query=query,
            headers=headers,
            payload=headers["x-amz-content-sha256"],
        )
        assert ours == theirs.headers["Authorization"]


SIGNER = Signer("s3")  # one for all, so that a key kept for too long is seen


def test_the_key_of_yesterday_or_of_elsewhere_is_not_used() -> None:
    signer = Signer("service")
    for day, region in [("20150830", "us-east-1"), ("20150831", "us-east-1"), ("20150830", "x")]:
        headers = {"host": "h", "x-amz-date": f"{day}T000000Z"}
        request = AWSRequest("GET", "http://h/", headers=headers)
        request.context["timestamp"] = headers["x-amz-date"]
        theirs = SigV4Auth(SDKCredentials(*astuple(SUITE)[:2]), "service", region)
        canonical = theirs.canonical_request(request)
        expected = theirs.signature(theirs.string_to_sign(request, canonical), request)
        ours = signer.authorization(
            SUITE,
            region,
            headers["x-amz-date"],
            method="GET",
            path="/",
            query="",
            headers=headers,
            payload=EMPTY,
        )
        assert ours.endswith(expected)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_body_in_parts_is_signed_and_checked_as_a_whole(scheme: str) -> None:
    where = Endpoint(scheme, "host.example", "/bucket", "us-east-1")
    signer = S3Signer()
    whole, parts = [
        signer.headers(where, Request("PUT", "/k", "", {}, body, more), EXAMPLES)
        for body, more in [(b"a value", ()), (b"a va", (b"l", b"ue"))]
    ]
    for name in ("x-amz-content-sha256", "x-amz-checksum-crc32"):
        assert parts[name] == whole[name]


def test_a_key_is_not_shown() -> None:
    assert SUITE.secret_access_key not in repr(SUITE)
    assert timestamp(1_440_938_160) == "20150830T123600Z"

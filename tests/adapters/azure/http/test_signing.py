"""Signatures, compared with the SDK's for generated requests, and with Azure's documentation."""

from __future__ import annotations

from base64 import b64encode
from email.utils import formatdate
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from hypothesis import given, settings
from hypothesis import strategies as st

from statebucket import errors
from statebucket.contract.versions import Version
from statebucket.port.bucket import Write
from statebucket.port.expiry import Expiry
from statebucket_azure.http.access import KeyGrant, NoGrant, SasGrant, TokenGrant
from statebucket_azure.http.requests import BlobRequests
from statebucket_azure.http.signing import SharedKey, http_date
from statebucket_azure.options import BlobOptions
from support.servers import AZURE_ACCOUNT, AZURE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket_azure.http.access import Grant
    from statebucket_http.wire import Request

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
LETTERS = PRINTABLE + "äß\u20ac\U0001f600"
LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"


def text(random: Random, longest: int, letters: str = LETTERS) -> str:
    return "".join(random.choices(letters, k=random.randint(0, longest)))


def signed_by_the_sdk(
    account: str, key: str, method: str, url: str, headers: dict[str, str]
) -> str:
    request = HttpRequest(method, url, headers=headers)
    context = SimpleNamespace(transport=None, options={})
    signer: Any = SharedKeyCredentialPolicy
    signer(account, key).on_request(PipelineRequest(request, context))  # type: ignore[arg-type]  # as much as it looks at
    return request.headers["Authorization"]


def a_write(random: Random) -> Write:
    metadata = {
        text(random, 6, LOWER) + "x": text(random, 20, PRINTABLE).strip()
        for _ in range(random.randint(0, 4))
    }
    name = f"p/{text(random, 20)}n/{text(random, 8)}~z".replace("./", "x/")
    expiry = random.choice([None, Expiry(1, 4), Expiry(1, None)])
    kind = random.choice(["application/json", "application/octet-stream"])
    return Write(name, random.randbytes(random.choice([0, 1, 40])), kind, metadata, expiry)


def a_request(random: Random) -> Request:
    scope = random.choice([None, "vault"])
    options = BlobOptions(ttl_tags=random.random() < 0.7, encryption_scope=scope)
    requests = BlobRequests(options, checked=random.random() < 0.7)
    condition = random.choice([None, Version.ABSENT, Version('"0x8D"')])
    version = random.choice([None, Version('"0x8D"')])
    write = a_write(random)
    marker = random.choice([None, text(random, 20)])
    prefix = text(random, 20)
    made: list[Callable[[], Request]] = [
        lambda: requests.put(write, condition),
        lambda: requests.get(write.name),
        lambda: requests.head(write.name),
        lambda: requests.delete(write.name, version),
        lambda: requests.list(prefix, marker, 17),
        lambda: requests.list(prefix, marker, 17, "/"),
        lambda: requests.list(prefix, marker, 17, start=prefix),
    ]
    return random.choice(made)()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_sdk_signs_the_same(seed: int) -> None:
    random = Random(seed)
    for _ in range(100):
        account = random.choice([AZURE_ACCOUNT, "acme"])
        key = random.choice(
            [AZURE_KEY, b64encode(random.randbytes(random.choice([1, 64, 65]))).decode()]
        )
        base = random.choice(["/container", f"/{account}/container", "/$root"])
        request = a_request(random)
        headers = {
            **request.headers,
            "x-ms-client-request-id": text(random, 16, LOWER),
            "x-ms-date": formatdate(random.randint(0, 2**33), usegmt=True),
        }
        url = f"https://host.example{base}{request.path}"
        sized = dict(headers)
        if request.method == "PUT":
            sized["content-length"] = str(len(request.body))
        query = f"?{request.query}" if request.query else ""
        theirs = signed_by_the_sdk(account, key, request.method, url + query, sized)
        assert KeyGrant(SharedKey(account, key)).authorize(request, headers, base) == request
        assert headers["authorization"] == theirs


NAMES = ["a/b", "tenants/t~20/keys/k", "odd name/ü+%"]
DATE = "Fri, 20 Nov 2026 10:00:00 GMT"


def parts_of(grant: Grant, base: str) -> list[tuple[str, dict[str, str]]]:
    """The request lines and headers of a batch's parts."""
    body = BlobRequests(BlobOptions()).delete_many(NAMES, grant, base, DATE).body.decode()
    boundary, _, _ = body.partition("\r\n")
    found = []
    for number, part in enumerate(body.split(f"{boundary}\r\n")[1:]):
        about, request, rest = part.split("\r\n\r\n", 2)
        assert about.endswith(f"\r\nContent-ID: {number}")
        assert rest in {"\r\n", f"\r\n{boundary}--\r\n"}
        line, *headers = request.split("\r\n")
        found.append((line, dict(header.split(": ", 1) for header in headers)))
    assert len(found) == len(NAMES)
    return found


@pytest.mark.parametrize("base", ["/container", f"/{AZURE_ACCOUNT}/container"])
def test_each_part_of_a_batch_is_signed_as_the_sdk_signs_it(base: str) -> None:
    parts = parts_of(KeyGrant(SharedKey(AZURE_ACCOUNT, AZURE_KEY)), base)
    for name, (line, headers) in zip(NAMES, parts, strict=True):
        method, path, version = line.split(" ")
        assert (method, unquote(path), version) == ("DELETE", f"{base}/{name}", "HTTP/1.1")
        assert headers.pop("Content-Length") == "0"
        signature = headers.pop("authorization")
        assert headers == {"x-ms-delete-snapshots": "include", "x-ms-date": DATE}
        url = f"https://host.example{path}"
        assert signature == signed_by_the_sdk(AZURE_ACCOUNT, AZURE_KEY, method, url, headers)


def test_a_token_or_signature_is_in_each_part_of_a_batch() -> None:
    for line, headers in parts_of(TokenGrant("t"), "/c"):
        assert (headers["authorization"], "?" in line) == ("Bearer t", False)
    for line, headers in parts_of(SasGrant("?sv=1&sig=x"), "/c"):
        assert ("authorization" in headers, line.endswith("?sv=1&sig=x HTTP/1.1")) == (False, True)
    for line, headers in parts_of(NoGrant(), "/c"):
        assert ("authorization" in headers, "?" in line) == (False, False)


@pytest.mark.parametrize(
    ("account", "key"),
    [
        ("account1", "hunter2"),
        ("account1", ""),
        ("account1", "hunter2\n=="),
        ("account1", "hünter2="),
        ("account1\n", AZURE_KEY),
        ("äccount", AZURE_KEY),
    ],
)
def test_a_key_that_is_none_is_told_and_not_shown(account: str, key: str) -> None:
    with pytest.raises(errors.InvalidCredentials) as caught:
        SharedKey(account, key)
    assert "nter2" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert AZURE_KEY not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    made = SharedKey(AZURE_ACCOUNT, AZURE_KEY)
    assert AZURE_KEY not in f"{made!r} {vars(made)!r} {KeyGrant(made)!r}"


@settings(max_examples=200)
@given(seconds=st.integers(0, 2**33))
def test_a_date_is_that_of_http_in_every_locale(seconds: int) -> None:
    assert http_date(seconds + 0.5) == formatdate(seconds, usegmt=True)

"""What each option puts on the wire, and which are refused before anything is sent."""

from __future__ import annotations

import asyncio
import traceback
from base64 import b64encode
from datetime import timedelta
from hashlib import md5
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from aiobotocore.session import AioSession

from statebucket import errors, open_store
from statebucket.port.bucket import Location, Write
from statebucket_s3 import open_bucket, open_bucket_over_http
from statebucket_s3.codes import region_in
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import Answer, DelayReply
from support.targets.s3 import BUCKET, S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statebucket.port.bucket import OpenedBucket
    from support.fault_proxy.proxy import FaultProxy, Recorded
    from support.servers import Server

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DONE = Answer(200, (("ETag", '"0123456789abcdef0123456789abcdef"'),))
DAY = timedelta(days=1)


async def sent(proxy: FaultProxy, **options: Any) -> Recorded:
    """The request that a write with a TTL becomes."""
    proxy.always(DONE)
    url = f"s3://{BUCKET}/p"
    async with open_store(
        url, **{"endpoint_url": proxy.url, "region": "us-east-1"} | options
    ) as store:
        await store.set("k", b"v", DAY)
    [request] = proxy.requests
    return request


@pytest.mark.asyncio
async def test_without_options(proxy: FaultProxy) -> None:
    request = await sent(proxy)
    assert request.target == f"/{BUCKET}/p/shared/keys/k"
    assert request.header("x-amz-tagging") == "statebucket-ttl=1"
    assert request.header("x-amz-server-side-encryption") is None
    assert request.header("x-amz-server-side-encryption-aws-kms-key-id") is None


@pytest.mark.asyncio
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "auto"])
async def test_the_region_is_signed(proxy: FaultProxy, region: str) -> None:
    request = await sent(proxy, region=region)
    assert f"/{region}/s3/aws4_request" in str(request.header("authorization"))


@pytest.mark.asyncio
async def test_a_region_of_the_environment_is_signed(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    request = await sent(proxy, region=None)
    assert "/ap-south-1/s3/aws4_request" in str(request.header("authorization"))


@pytest.mark.asyncio
@pytest.mark.parametrize("app", ["", "billing"])
async def test_the_user_agent_names_the_sdk_us_and_the_app(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, app: str
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    if app:
        monkeypatch.setenv("AWS_SDK_UA_APP_ID", app)
    agent = str((await sent(proxy)).header("user-agent"))
    # Powertools, once it is imported, adds its name to each SDK's of the process.
    names = [name for name in agent.split() if not name.startswith("PT")]
    assert names[0].startswith("aiobotocore/")
    assert names[-1] == "statebucket"
    assert "exec-env/AWS_Lambda_python3.13" in names
    assert [name for name in names if name.startswith("app/")] == ([f"app/{app}"] if app else [])


@pytest.mark.asyncio
async def test_a_session_of_the_callers_keeps_its_user_agent(proxy: FaultProxy) -> None:
    session = AioSession()
    session.user_agent_extra = "billing/2"
    names = str((await sent(proxy, session=session)).header("user-agent")).split()
    assert {"billing/2", "statebucket"} <= set(names)
    assert names.count("billing/2") == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (301, (("x-amz-bucket-region", "eu-west-1"),)),
        (400, (("x-amz-bucket-region", "eu-west-1"),)),
    ],
)
async def test_a_request_that_is_told_another_region_goes_there(
    target: S3Target, proxy: FaultProxy, status: int, headers: Any
) -> None:
    async with target.open() as store:
        await store.set("k", b"v")
        proxy.clear()
        proxy.plan(Answer(status, headers))
        assert await store.exists("k")
        regions = [str(request.header("authorization")).split("/")[2] for request in proxy.requests]
        assert regions == ["us-east-1", "eu-west-1"]


@pytest.mark.parametrize("engine", ["sdk", "http"])
def test_an_access_point_is_named_by_its_alias(engine: str) -> None:
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint"
    for url in (f"s3://{arn}/point/app", f"s3://{arn}:point/app"):
        with pytest.raises(errors.InvalidURL, match="must name an access point by its alias"):
            open_store(f"{url}?engine={engine}")
    open_store(f"s3://point-{'a' * 34}-s3alias/app?engine={engine}")


def wrong_region(name: str) -> Answer:
    """What S3 answers where the bucket is in eu-west-1 or, for a region to opt in to, af-south-1.

    Without the header that names the region: AWS's replies have it in some cases only.
    """
    if name == "opt-in":
        text = "The af-south-1 location constraint is incompatible for the region specific endpoint"
        return s3_error(
            400, "IllegalLocationConstraintException", f"{text} this request was sent to."
        )
    text = "The authorization header is malformed; the region 'us-east-1' is wrong"
    body = f"<Error><Code>AuthorizationHeaderMalformed</Code><Message>{text}</Message>"
    return Answer(400, (), f"{body}<Region>eu-west-1</Region></Error>".encode())


@pytest.mark.parametrize(
    ("named", "region"),
    [("unspecified", "us-east-1"), ("me-south-1", "me-south-1"), ("", None), ("../x", None)],
)
def test_the_region_in_an_errors_text(named: str, region: str | None) -> None:
    text = f"The {named} location constraint is incompatible for the region specific endpoint"
    assert region_in("IllegalLocationConstraintException", text) == region
    assert region_in("IllegalLocationConstraintException", "something else") is None
    assert region_in("InvalidRequest", text) is None


@pytest.mark.asyncio
@pytest.mark.parametrize("call", ["get", "exists"])
@pytest.mark.parametrize(("name", "region"), [("usual", "eu-west-1"), ("opt-in", "af-south-1")])
async def test_a_region_that_no_header_names_is_learned(
    target: S3Target,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    name: str,
    region: str,
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "as in a function")
    async with target.open() as store:
        await store.set("k", b"v")
        proxy.clear()
        answer = wrong_region(name)
        proxy.plan(*[answer] * (2 if call == "exists" else 1))
        assert await getattr(store, call)("k")
        assert await getattr(store, call)("k")
    regions = [str(request.header("authorization")).split("/")[2] for request in proxy.requests]
    asked = 2 if call == "exists" else 1
    assert regions[:asked] == ["us-east-1"] * asked
    assert set(regions[asked:]) == {region}


@pytest.mark.asyncio
@pytest.mark.parametrize("style", ["auto", "virtual", "path"])
@pytest.mark.parametrize("host", ["s3.eu-west-1.amazonaws.com", "s3.example.com"])
async def test_with_an_endpoint_the_bucket_is_in_the_path_unless_told_otherwise(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, host: str, style: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)  # for names that are not to be looked up here
    options: dict[str, Any] = {} if style == "auto" else {"addressing_style": style}
    options |= {"insecure_endpoint": True}
    request = await sent(proxy, endpoint_url=f"http://{host}", region="eu-west-1", **options)
    place = f"{BUCKET}.{host}" if style == "virtual" else f"{host}/{BUCKET}"
    assert request.target == f"http://{place}/p/shared/keys/k"


@pytest.mark.asyncio
@pytest.mark.parametrize("style", ["auto", "virtual", "path"])
async def test_on_aws_the_bucket_is_in_the_host_unless_told_otherwise(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    proxy.always(Answer(502))  # to the request for a tunnel, which names the host
    options: dict[str, Any] = {} if style == "auto" else {"addressing_style": style}
    async with open_store(f"s3://{BUCKET}/p?region=eu-west-1", **options) as store:
        write = asyncio.create_task(store.set("k", b"v"))
        request = await asyncio.to_thread(proxy.wait_for)
        write.cancel()
        await asyncio.wait([write])
    place = "" if style == "path" else f"{BUCKET}."
    assert (request.method, request.target) == ("CONNECT", f"{place}s3.eu-west-1.amazonaws.com:443")


@pytest.mark.asyncio
async def test_an_endpoint_may_have_a_path(proxy: FaultProxy) -> None:
    request = await sent(proxy, endpoint_url=f"{proxy.url}/gateway")
    assert request.target == f"/gateway/{BUCKET}/p/shared/keys/k"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "sse", "key"),
    [
        ({"sse": "AES256"}, "AES256", None),
        ({"sse": "aws:kms"}, "aws:kms", None),
        ({"sse": "aws:kms", "sse_kms_key_id": KEY}, "aws:kms", KEY),
    ],
    ids=["AES256", "kms", "kms with a key"],
)
async def test_encryption_is_asked_for_with_each_write(
    proxy: FaultProxy, options: dict[str, str], sse: str, key: str | None
) -> None:
    request = await sent(proxy, **options)
    assert request.header("x-amz-server-side-encryption") == sse
    assert request.header("x-amz-server-side-encryption-aws-kms-key-id") == key


@pytest.mark.asyncio
async def test_no_tag_is_sent_with_ttl_tags_false(proxy: FaultProxy) -> None:
    request = await sent(proxy, ttl_tags=False)
    assert request.header("x-amz-tagging") is None
    assert request.header("x-amz-meta-expiresat") is not None


@pytest.mark.asyncio
@pytest.mark.parametrize("library", ["aioboto3", "aiobotocore"])
async def test_a_session_of_the_callers_is_used_and_left_open(
    target: S3Target, proxy: FaultProxy, library: str
) -> None:
    session: Any
    if library == "aioboto3":
        kind = pytest.importorskip("aioboto3").Session  # an extra of its own
        session = kind(aws_access_key_id="the-callers", aws_secret_access_key="x")
        client = session.client
    else:
        session = AioSession()
        session.set_credentials("the-callers", "x")
        client = session.create_client
    async with client("s3", endpoint_url=proxy.url, region_name="us-east-1") as theirs:
        for _ in range(2):
            async with target.open(session=session) as store:
                await store.set("k", b"v")
        assert await theirs.list_objects_v2(Bucket=BUCKET)
    signed = [str(request.header("authorization")) for request in proxy.requests]
    assert len(signed) == 3
    assert all("Credential=the-callers/" in line for line in signed)


@pytest.mark.asyncio
async def test_max_in_flight_bounds_requests_and_connections(
    target: S3Target, proxy: FaultProxy
) -> None:
    proxy.always(DelayReply(0.05))
    async with target.open(max_in_flight=3) as store:
        await asyncio.gather(*(store.set(f"k{number}", b"v") for number in range(12)))
        assert proxy.connections == 3
    requests = proxy.requests
    assert len({request.connection for request in requests}) == 3
    for number in range(3, 12):  # the fourth begins once one of the first three was answered
        answered = [one.answered for one in requests if one.answered is not None]
        assert sum(at < requests[number].started for at in answered) >= number - 2


REFUSED: list[tuple[dict[str, Any], type[errors.StateBucketError], str]] = [
    ({"region": ""}, errors.InvalidArgument, "region.*''"),
    ({"region": "eu west"}, errors.InvalidArgument, "region.*'eu west'"),
    ({"region": "evil.example/"}, errors.InvalidArgument, "region.*'evil.example/'"),
    ({"region": "-eu"}, errors.InvalidArgument, "region.*'-eu'"),
    (
        {"addressing_style": "host"},
        errors.InvalidArgument,
        "the option 'addressing_style' must be path, virtual or auto$",
    ),
    ({"sse": "aes"}, errors.InvalidArgument, "the option 'sse' must be AES256 or aws:kms$"),
    ({"sse_kms_key_id": KEY}, errors.InvalidArgument, "sse='aws:kms'"),
    ({"sse": "AES256", "sse_kms_key_id": KEY}, errors.InvalidArgument, "sse='aws:kms'"),
    ({"sse": "aws:kms", "sse_kms_key_id": ""}, errors.InvalidArgument, "ARN or alias: ''"),
    ({"sse": "aws:kms", "sse_kms_key_id": "a\r\nb"}, errors.InvalidArgument, "ARN or alias"),
    ({"ttl_tags": "perhaps"}, errors.InvalidArgument, "ttl_tags"),
    ({"session": "text"}, errors.InvalidArgument, r"aioboto3\.Session, not builtins\.str"),
    ({"session": boto3.Session()}, errors.InvalidArgument, r"aioboto3\.Session, not boto3\."),
    ({"regoin": "eu-west-1"}, errors.InvalidArgument, "regoin.*region"),
    ({"endpoint_url": ""}, errors.InvalidURL, "must begin with http:// or https://"),
    ({"endpoint_url": "ftp://host"}, errors.InvalidURL, "http://host.*'ftp://host'"),
    ({"endpoint_url": "host:9000"}, errors.InvalidURL, "must begin with http:// or https://"),
    ({"endpoint_url": "https://"}, errors.InvalidURL, "http://host.*'https://'"),
    ({"endpoint_url": "https://a b"}, errors.InvalidURL, "http://host.*'https://a b'"),
    ({"endpoint_url": "https://a;b"}, errors.InvalidURL, "http://host.*'https://a'"),
    ({"endpoint_url": "https://host\r\n"}, errors.InvalidURL, "http://host"),
    ({"endpoint_url": "https://me:hunter2@host"}, errors.InvalidURL, "without user"),
    ({"endpoint_url": "https://host/?key=hunter2"}, errors.InvalidURL, "without user, query"),
    ({"endpoint_url": "https://host#hunter2"}, errors.InvalidURL, "without user, query or frag"),
    ({"endpoint_url": "https://host:hunter2"}, errors.InvalidURL, "not a URL"),
    ({"endpoint_url": "https://[hunter2"}, errors.InvalidURL, "not a URL"),
]


@pytest.mark.parametrize(
    ("options", "kind", "words"), REFUSED, ids=[repr(options)[:50] for options, _, _ in REFUSED]
)
def test_what_does_not_open(
    options: dict[str, Any], kind: type[errors.StateBucketError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        open_store(f"s3://{BUCKET}/p", **{"region": "us-east-1"} | options)
    assert "hunter2" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("engine", ["sdk", "http"])
async def test_an_endpoint_in_the_environment_needs_its_scheme(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "hunter2.example:9000")
    with pytest.raises(errors.InvalidInput, match=r"AWS_ENDPOINT_URL.*begin with http://") as told:
        async with open_store(f"s3://{BUCKET}/p?region=us-east-1&engine={engine}") as store:
            await store.get("k")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://[::1]:1/x", "https://h.e"])
def test_what_endpoints_open(endpoint: str) -> None:
    open_store(f"s3://{BUCKET}/p", endpoint_url=endpoint)


@pytest.mark.asyncio
async def test_a_ca_bundle_that_cannot_be_read_is_told_at_once(
    target: S3Target, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    async with target.open() as store:
        with pytest.raises(errors.InvalidArgument, match=r"nothing\.pem") as told:
            await store.set("k", b"v")
        assert told.value.outcome == "none"
        assert store.stats().requests == 1
    assert proxy.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("engine_name", ["sdk", "http"])
@pytest.mark.parametrize("quotes", [True, False, None])
async def test_conditions_go_with_the_quotes_of_the_etag_or_without(
    moto: Server,
    proxy: FaultProxy,
    engine_name: str,
    quotes: bool | None,  # noqa: FBT001  (a row of the table)
) -> None:
    target = S3Target(moto, raw_client(moto), proxy, engine_name)
    options: dict[str, Any] = {} if quotes is None else {"etag_quotes": quotes}
    async with target.open(**options) as store:
        version = await store.set("k", b"v")
        proxy.clear()
        await store.set("k", b"w", if_version=version)
        (request,) = proxy.requests
    sent = request.header("if-match")
    assert sent == (version.token.strip('"') if quotes is False else version.token)


@pytest.mark.asyncio
@pytest.mark.parametrize("opener", [open_bucket, open_bucket_over_http])
async def test_a_service_that_compares_without_quotes_needs_the_option(
    proxy: FaultProxy, opener: Callable[[Location], OpenedBucket]
) -> None:

    def quoted(request: Recorded) -> bool:
        return '"' in str(request.header("if-match") or "")

    proxy.always(s3_error(412, "PreconditionFailed", when=quoted))
    write = Write(uuid4().hex, b"v", "application/json", {}, None)
    told = {}
    for quotes in (True, False):
        given = {"endpoint_url": proxy.url, "region": "us-east-1", "etag_quotes": quotes}
        bucket = opener(Location("s3", BUCKET, "", given, 10.0, 8)).bucket
        version = await bucket.put(write, None)
        for call in (bucket.put(write, version), bucket.delete(write.name, version)):
            try:
                await call
            except errors.PreconditionFailed as error:
                told[quotes] = error.remedy
        await bucket.close()
    assert list(told) == [True]
    assert "etag_quotes=false sends If-Match without quotes" in told[True]


@pytest.mark.asyncio
@pytest.mark.parametrize("engine_name", ["sdk", "http"])
async def test_a_batch_delete_has_the_md5_that_some_services_ask_for(
    moto: Server, proxy: FaultProxy, engine_name: str
) -> None:
    target = S3Target(moto, raw_client(moto), proxy, engine_name)
    async with target.open() as store:
        await store.set("exec:e:k", b"v")
        await store.set("exec:e:l", b"v")
        await store.delete_execution_state("e")
    (batch,) = [one for one in proxy.requests if one.method == "POST"]
    assert batch.header("content-md5") == b64encode(md5(batch.body).digest()).decode()
    assert target.raw_names() == []


@pytest.mark.asyncio
@pytest.mark.parametrize("engine_name", ["sdk", "http"])
@pytest.mark.parametrize("given", ["option", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
async def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, engine_name: str, given: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-hunter2")
    monkeypatch.setenv("HTTP_PROXY", proxy.url)  # which would get the request, and the token
    url = f"s3://{BUCKET}/p?region=us-east-1&engine={engine_name}"
    if given == "option":
        url += "&endpoint_url=http://s3.example.com"
    else:
        monkeypatch.setenv(given, "http://s3.example.com")
    with pytest.raises(errors.InvalidArgument, match="insecure_endpoint=true") as caught:
        async with open_store(url) as store:
            await store.set("k", b"v")
    assert "http://s3.example.com" in str(caught.value)
    assert caught.value.outcome == "none"
    assert proxy.requests == []
    proxy.always(DONE)
    async with open_store(f"{url}&insecure_endpoint=true") as store:
        await store.set("k", b"v")
    (request,) = proxy.requests
    assert request.header("x-amz-security-token") == "session-token-hunter2"


@pytest.mark.asyncio
@pytest.mark.parametrize("engine_name", ["sdk", "http"])
async def test_an_endpoint_of_the_environment_with_a_password_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, engine_name: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://me:hunter2@127.0.0.1:1")
    with pytest.raises(errors.InvalidInput) as caught:
        async with open_store(f"s3://{BUCKET}/p?region=us-east-1&engine={engine_name}") as store:
            await store.set("k", b"v")
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.asyncio
@pytest.mark.parametrize("proxy_url", ["http://u:hunter2@[bad", "::::", "ftp://u:hunter2@host:1"])
async def test_a_proxy_that_is_no_url_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, proxy_url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy_url)
    url = f"s3://{BUCKET}/p?region=us-east-1&endpoint_url=https://s3.example"
    async with open_store(url) as store:
        with pytest.raises(errors.InvalidArgument, match="proxy") as caught:
            await store.set("k", b"v")
        assert store.stats().retries == 0
    assert caught.value.outcome == "none"
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.asyncio
async def test_a_proxy_that_asks_for_a_password_is_named_without_the_one_it_got(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://user:hunter2@"))
    proxy.always(Answer(407))
    url = f"s3://{BUCKET}/p?region=us-east-1&endpoint_url=https://s3.example&deadline=30"
    async with open_store(url) as store:
        bucket = store.context.objects.bucket  # which tries once
        with pytest.raises(errors.RequestRejected, match="407 to the user") as caught:
            await bucket.put(Write("p/shared/keys/k", b"v", "text/plain", {}, None), None)
    assert "through the proxy 127.0.0.1" in str(caught.value)
    assert caught.value.outcome == "none"
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))

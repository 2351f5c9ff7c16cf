"""What the doctor reports about incomplete services, through each engine for S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from support.command_line import command_line
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import Answer, FaultProxy, on
from support.targets.s3 import BUCKET, raw_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.command_line import Result
    from support.servers import Server

ENGINES = pytest.mark.parametrize("engine", ["", "&engine=http"], ids=["sdk", "http"])
STS = on(
    None, None, lambda request: b"GetCallerIdentity" in request.body or "Action" in request.target
)


@pytest.fixture
def url(moto: Server, proxy: FaultProxy) -> str:
    bucket = f"b-{uuid4().hex}"
    raw_client(moto).create_bucket(Bucket=bucket)
    return f"s3://{bucket}/app?endpoint_url={proxy.url}&region=us-east-1"


@pytest.fixture
def cli(url: str) -> Callable[..., Result]:
    """Runs a command on the store."""
    return command_line(url)


def examined(cli: Callable[..., Any], url: str, *options: str) -> dict[str, list[dict[str, Any]]]:
    """The findings by their checks; there is one document, whatever happens."""
    answer = cli("doctor", "-u", url, "--json", *options)
    assert answer.json is not None, answer.text
    found: dict[str, list[dict[str, Any]]] = {}
    for one in answer.json["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


@ENGINES
def test_rclone_which_ignores_all_conditions_is_unfit(
    cli: Callable[..., Any], rclone: Server, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rclone.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rclone.secret_key)
    client = raw_client(rclone)
    bucket = f"b-{uuid4().hex}"
    client.create_bucket(Bucket=bucket)
    url = f"s3://{bucket}/app?endpoint_url={rclone.url}&region=us-east-1{engine}"
    found = examined(cli, f"{url}&deadline=60", "--write")  # rclone is slow on a busy machine
    faults = [one["message"] for one in found["conditions"] if one["status"] == "fault"]
    create, replace, delete = faults
    assert create.startswith("creating an object that exists is not refused; if_version=")
    assert "lease()" in create
    assert replace.startswith("replacing an object at an old version is not refused; ")
    assert "only_newer=True" in replace
    assert delete.startswith("deleting an object at an old version is not refused; sweep()")
    (lifecycle,) = found["lifecycle"]
    assert lifecycle["status"] == "unknown"
    assert lifecycle["remedy"]["command"] == "statebucket sweep"
    assert found["identity"][0]["status"] == "unknown"
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)


@ENGINES
def test_seaweedfs_a_production_service_keeps_to_conditions(
    cli: Callable[..., Any], seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_key)
    where = f"endpoint_url={seaweedfs.url}&region=us-east-1{engine}"
    found = examined(cli, f"s3://{BUCKET}/{uuid4().hex}?{where}", "--write")
    assert [one["status"] for one in found["conditions"]] == ["ok"]
    assert [one["status"] for one in found["identity"]] == ["unknown"]  # it has no STS


@ENGINES
def test_a_service_that_keeps_to_conditions_is_fit(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, engine: str
) -> None:
    (finding,) = examined(cli, url + engine, "--write")["conditions"]
    assert finding["status"] == "ok"
    assert "conditions" not in examined(cli, url + engine)  # which only reads
    assert proxy.count("PUT") > 0


@ENGINES
def test_a_service_that_wants_etags_without_quotes_is_named_the_option(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, engine: str
) -> None:
    quoted = on("PUT", test=lambda request: (request.header("if-match") or "").startswith('"'))
    proxy.always(s3_error(412, "PreconditionFailed", when=quoted))
    (finding,) = examined(cli, url + engine, "--write")["conditions"]
    assert finding["status"] == "fault"
    assert finding["message"].startswith("replacing an object at its version is refused; ")
    assert finding["remedy"] == {"advice": "put etag_quotes=false into the store's URL"}
    (finding,) = examined(cli, f"{url}&etag_quotes=false{engine}", "--write")["conditions"]
    assert finding["status"] == "ok"


@ENGINES
def test_a_service_that_refuses_every_replacement_gets_no_promise_of_an_option(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, engine: str
) -> None:
    conditional = on("PUT", test=lambda request: request.header("if-match") is not None)
    proxy.always(s3_error(412, "PreconditionFailed", when=conditional))
    (finding,) = examined(cli, url + engine, "--write")["conditions"]
    assert finding["message"].startswith("replacing an object at its version is refused; ")
    assert "put etag_quotes" not in finding["remedy"]["advice"]


@ENGINES
def test_a_service_without_conditional_deletes_is_named_the_calls_that_fail(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, engine: str
) -> None:
    conditional = on("DELETE", test=lambda request: request.header("if-match") is not None)
    proxy.always(s3_error(501, "NotImplemented", when=conditional))
    findings = examined(cli, url + engine, "--write")["conditions"]
    assert [one["status"] for one in findings] == ["fault", "fault"]
    for one in findings:
        assert "fails with RequestRejected: " in one["message"]
        assert "sweep() and conditional deletes" in one["message"]


@ENGINES
def test_what_could_not_be_tried_is_unknown(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, engine: str
) -> None:
    conditional = on("DELETE", test=lambda request: request.header("if-match") is not None)
    proxy.always(s3_error(503, "SlowDown", when=conditional))
    findings = examined(cli, url + engine, "--write")["conditions"]
    assert [one["status"] for one in findings] == ["unknown", "unknown"]
    assert all("could not be tried: Throttled" in one["message"] for one in findings)


@ENGINES
@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize(
    "body", [b"what is GetCallerIdentity?", b"", b"<html/>", b"\xff\x00", b"<Error/>", b"{}"]
)
def test_an_endpoint_that_answers_sts_with_something_else_ends_no_examination(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, *, engine: str, status: int, body: bytes
) -> None:
    proxy.always(Answer(status, (("Content-Type", "text/plain"),), body, when=STS))
    found = examined(cli, url + engine)
    (identity,) = found["identity"]
    assert identity["status"] == "unknown"
    assert identity["message"].startswith("STS does not say: ")
    assert identity["message"] != "STS does not say: "
    assert {"versions", "public", "clock", "rights", "lifecycle", "latency"} <= set(found)


LISTING = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>"""


@ENGINES
def test_a_listing_in_answer_to_a_question_is_no_answer(
    cli: Callable[..., Any], proxy: FaultProxy, url: str, engine: str
) -> None:
    settings = ("versioning", "publicAccessBlock", "policy", "lifecycle")
    other = on("GET", test=lambda r: r.target.partition("?")[2].partition("=")[0] in settings)
    proxy.always(Answer(200, (("Content-Type", "application/xml"),), LISTING, when=other))
    found = examined(cli, url + engine)
    for check in ("versions", "public", "lifecycle"):
        assert [one["status"] for one in found[check]] == ["unknown"], check
    assert not [one for one in found["rights"] if "GetBucketPolicy" in one["message"]]

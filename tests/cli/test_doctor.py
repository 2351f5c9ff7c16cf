"""What the doctor finds, what it recommends, and that it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from statebucket import errors, open_store
from statebucket.admin.doctor import Examination
from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedies, Remedy
from statebucket_azure.remedies import REMEDIES as AZURE
from statebucket_gcs.remedies import REMEDIES as GCS
from statebucket_s3 import findings as s3_findings
from statebucket_s3.remedies import REMEDIES as S3
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statebucket.store.store import ObjectStateStore
    from support.servers import Server

ENGINES = ("", "&engine=http")


@pytest.fixture
def store() -> ObjectStateStore:
    return open_store("memory://")


@pytest.fixture
def bucket(moto: Server) -> str:
    name = f"b-{uuid4().hex}"
    raw_client(moto).create_bucket(Bucket=name)
    return name


async def examined(store: ObjectStateStore, **options: Any) -> list[Finding]:
    return [one async for one in Examination(store, **options).findings()]


def s3(moto: Server, bucket: str, more: str = "") -> str:
    return f"s3://{bucket}/app?endpoint_url={moto.url}&region=us-east-1{more}"


def as_cloud(store: ObjectStateStore, remedies: Remedies) -> None:
    """The store, on a service that has these remedies."""

    async def nothing(_: str) -> tuple[Finding, ...]:
        return ()

    bucket: Any = store.context.objects.bucket
    bucket.remedies, bucket.examine = remedies, nothing


def narrow(
    store: ObjectStateStore, remedies: Remedies, error: errors.StateBucketError
) -> ObjectStateStore:
    """The store, on a service that refuses names outside its prefixes."""
    as_cloud(store, remedies)
    bucket: Any = store.context.objects.bucket
    get = bucket.get

    async def some(name: str) -> Any:
        if name.startswith("statebucket-doctor-"):
            raise error
        return await get(name)

    bucket.get, bucket.requires_network = some, True
    return store


def of(answer: Any, check: str) -> list[dict[str, Any]]:
    return [one for one in answer.json["findings"] if one["check"] == check]


@pytest.mark.asyncio
async def test_it_only_reads_unless_it_may_write(store: ObjectStateStore) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("the doctor writes")

    for name in ("put", "delete", "delete_many"):
        setattr(store.context.objects.bucket, name, never)
    findings = await examined(store)
    assert (
        Finding(
            check="rights",
            status="unknown",
            message="writing was not tried",
            remedy=Remedy(command="statebucket doctor --write"),
        )
        in findings
    )


@pytest.mark.asyncio
async def test_what_it_writes_is_below_the_prefixes_and_goes_again(
    store: ObjectStateStore,
) -> None:
    put, names = store.context.objects.bucket.put, set()

    async def noted(write: Any, condition: Any) -> Any:
        names.add(write.name)
        assert write.metadata["expiresat"]
        return await put(write, condition)

    store.context.objects.bucket.put = noted  # type: ignore[method-assign]
    findings = await examined(store, write=True)
    assert {name.partition("/")[0] for name in names} == {"tenants", "shared", "owners"}
    assert all("/statebucket-doctor-" in name for name in names)
    assert store.context.objects.bucket._objects == {}  # type: ignore[attr-defined]
    assert not [one for one in findings if one.status in {"fault", "warning"}]


@pytest.mark.asyncio
async def test_the_probe_goes_even_when_reading_it_back_fails(store: ObjectStateStore) -> None:
    async def denied(_: str) -> None:
        raise errors.AccessDenied("no")

    store.context.objects.bucket.get = denied  # type: ignore[method-assign,assignment]
    findings = await examined(store, write=True)
    assert store.context.objects.bucket._objects == {}  # type: ignore[attr-defined]
    assert [one.status for one in findings if one.check == "rights"] == ["fault"] * 3


@pytest.mark.asyncio
async def test_a_view_is_examined_below_its_tenant_only(store: ObjectStateStore) -> None:
    findings = await examined(store.tenant("acme"), write=True)
    (rights,) = [one for one in findings if one.check == "rights"]
    assert rights.message.endswith("below tenants/acme/")


@pytest.mark.asyncio
async def test_a_right_that_is_missing_names_the_prefix_and_the_terraform_line(
    store: ObjectStateStore,
) -> None:
    put = store.context.objects.bucket.put

    async def some(write: Any, condition: Any) -> Any:
        if write.name.startswith("owners/"):
            raise errors.AccessDenied("not there")
        return await put(write, condition)

    store.context.objects.bucket.put = some  # type: ignore[method-assign]
    as_cloud(store, S3)
    fault = next(one for one in await examined(store, write=True) if one.status == "fault")
    assert "below owners/" in fault.message
    assert str(fault.remedy) == "policy = module.state.runtime_policy_json  # terraform/aws"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("service", "line"),
    [
        (S3, "module.state.tenant_policy_json"),
        (GCS, "tenant_members"),
        (AZURE, "tenant_principal_ids"),
    ],
)
async def test_a_tenants_view_is_given_a_tenants_rights_only(
    store: ObjectStateStore, service: Remedies, line: str
) -> None:
    async def denied(*_: Any) -> None:
        raise errors.AccessDenied("no")

    for name in ("check", "get"):
        setattr(store.context.objects.bucket, name, denied)
    as_cloud(store, service)
    faults = [one for one in await examined(store.tenant("acme")) if one.status == "fault"]
    assert faults
    for fault in faults:
        assert line in str(fault.remedy)
        assert "runtime" not in str(fault.remedy)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("service", "status", "how"),
    [
        (S3, "unknown", "simulate-principal-policy"),
        (GCS, "unknown", "troubleshoot-policy"),
        (AZURE, "ok", ""),
    ],
)
async def test_a_denied_read_of_no_object_tells_something_on_azure_only(
    store: ObjectStateStore, service: Remedies, status: str, how: str
) -> None:
    found = await examined(narrow(store, service, errors.AccessDenied("no")))
    about = [one for one in found if one.check == "rights" and "outside" in one.message]
    assert [one.status for one in about] == [status]
    assert how in str(about[0].remedy)


@pytest.mark.asyncio
async def test_no_answer_about_other_names_is_not_taken_for_a_denial(
    store: ObjectStateStore,
) -> None:
    found = await examined(narrow(store, AZURE, errors.Unavailable("gone")))
    about = [one for one in found if one.check == "rights" and "outside" in one.message]
    assert [one.status for one in about] == ["unknown"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "service", "said"),
    [
        (errors.InvalidCredentials("x"), GCS, "gcloud auth application-default login"),
        (errors.InvalidCredentials("x"), AZURE, "az login"),
        (errors.BucketNotFound("x"), S3, 'source = "terraform/aws"'),
        (errors.Unavailable("x"), S3, "statebucket health"),
    ],
)
async def test_what_cannot_be_reached_is_the_one_finding_with_its_remedy(
    store: ObjectStateStore, error: errors.StateBucketError, service: Remedies, said: str
) -> None:
    async def fail(_: str) -> None:
        raise error

    store.context.objects.bucket.check = fail  # type: ignore[method-assign,assignment]
    as_cloud(store, service)
    (finding,) = await examined(store.with_deadline(0.1))
    assert (finding.check, finding.status) == ("reach", "fault")
    assert said in str(finding.remedy)


@pytest.mark.asyncio
async def test_expired_objects_that_pile_up_are_found(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    late = open_store(url, clock=lambda: time.time() - 300)
    await late.tenant("acme").set("k", b"", timedelta(seconds=1))
    await late.shutdown()
    async with open_store(url) as store:
        (finding,) = [one for one in await examined(store) if one.check == "sweep"]
    assert finding.status == "warning"
    assert finding.remedy is not None
    assert finding.remedy.shell == "statebucket sweep"


def test_a_file_is_fit(cli: Callable[..., Any]) -> None:
    answer = cli("doctor", "--write", "--json")
    assert (answer.code, answer.json["ok"]) == (0, True)
    assert [one for one in answer.json["findings"] if one["status"] not in {"ok", "note"}] == []
    assert "save" in of(answer, "latency")[0]["message"]


@pytest.mark.parametrize("engine", ENGINES)
def test_on_s3_it_tells_identity_versions_clock_and_excess(
    cli: Callable[..., Any], moto: Server, bucket: str, engine: str
) -> None:
    answer = cli("doctor", "--write", "-u", s3(moto, bucket, engine), "--json")
    assert answer.code == 1
    assert of(answer, "identity")[0]["message"].startswith("arn:aws:sts::")
    assert "versioning is off" in of(answer, "versions")[0]["message"]
    assert of(answer, "clock")[0]["status"] == "ok"
    messages = " ".join(one["message"] for one in of(answer, "rights"))
    for excess in ("s3:ListAllMyBuckets", "s3:GetBucketPolicy", "outside app/", "outside the"):
        assert excess in messages
    assert of(answer, "public")[0]["status"] == "warning"
    assert all(one["remedy"] for one in answer.json["findings"] if one["status"] == "warning")
    assert "Contents" not in raw_client(moto).list_objects_v2(Bucket=bucket)


def test_on_s3_a_view_that_sees_other_tenants_is_found(
    cli: Callable[..., Any], moto: Server, bucket: str
) -> None:
    url = s3(moto, bucket, "&owner_index=false")
    messages = [
        one["message"] for one in of(cli("doctor", "-t", "a", "-u", url, "--json"), "rights")
    ]
    assert "it can list other tenants, below app/tenants/" in messages


@pytest.mark.parametrize("engine", ENGINES)
def test_on_s3_versioning_is_told_with_what_it_costs(
    cli: Callable[..., Any], moto: Server, bucket: str, engine: str
) -> None:
    raw_client(moto).put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    (finding,) = of(cli("doctor", "-u", s3(moto, bucket, engine), "--json"), "versions")
    assert "every save is kept, and billed" in finding["message"]
    assert finding["remedy"]["terraform"] == {
        "module": "terraform/aws",
        "line": "versioning = false, or a small noncurrent_days",
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_on_s3_public_access_is_blocked_by_all_four_settings(
    cli: Callable[..., Any], moto: Server, bucket: str, engine: str
) -> None:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    for settings, status in ((names, "ok"), (names[1:], "warning")):
        raw_client(moto).put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={name: name in settings for name in names},
        )
        (finding,) = of(cli("doctor", "-u", s3(moto, bucket, engine), "--json"), "public")
        assert finding["status"] == status


def test_on_s3_lifecycle_drift_goes_with_the_command_it_names(
    cli: Callable[..., Any], moto: Server, bucket: str
) -> None:
    url = s3(moto, bucket)
    (finding,) = of(cli("doctor", "-u", url, "--json"), "lifecycle")
    assert finding["status"] == "warning"
    assert finding["remedy"]["command"] == "statebucket lifecycle apply"
    assert cli("lifecycle", "check", "-u", url, "--json").code == 1
    assert cli("lifecycle", "apply", "-n", "-u", url, "--json").json["applied"] is False
    assert cli("lifecycle", "apply", "-u", url, "--json").code == 2  # no one to ask
    assert cli("lifecycle", "apply", "-y", "-u", url, "--json").json["applied"] is True
    assert cli("lifecycle", "check", "-u", url, "--json").code == 0
    shown = cli("lifecycle", "show", "-u", url, "--json").json
    assert len(shown["needed"]) == 12
    assert len(shown["found"]) > 12
    (finding,) = of(cli("doctor", "-u", url, "--json"), "lifecycle")
    assert finding["status"] == "ok"


def test_findings_in_a_pipe_are_a_line_each(moto: Server, bucket: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "statebucket", "lifecycle", "apply", "-y", "-u", s3(moto, bucket)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    starts = {line.split(maxsplit=1)[0] for line in done.stderr.splitlines() if line.strip()}
    assert starts <= {"missing", "wrong", "note", "unknown", "→"}


def test_on_s3_a_missing_bucket_is_a_fault(cli: Callable[..., Any], moto: Server) -> None:
    answer = cli("doctor", "-u", s3(moto, "no-such-bucket"), "--json")
    assert (answer.code, answer.json["findings"][0]["status"]) == (1, "fault")


@pytest.mark.parametrize(
    ("arn", "source", "resource"),
    [
        ("arn:aws:sts::12:assumed-role/function/f-1", "arn:aws:iam::12:role/function", "aws"),
        ("arn:aws-cn:sts::12:assumed-role/f/f", "arn:aws-cn:iam::12:role/f", "aws-cn"),
        ("arn:aws:iam::12:user/ann", "arn:aws:iam::12:user/ann", "aws"),
        ("", "…", "aws"),
    ],
)
def test_what_s3_does_not_tell_iam_is_asked(arn: str, source: str, resource: str) -> None:
    finding = s3_findings._out_of_sight(arn, "b")
    assert str(finding.remedy).endswith(f"--resource-arns arn:{resource}:s3:::b")
    assert f"--policy-source-arn {source} " in str(finding.remedy)
    assert "s3:DeleteBucket s3:PutBucketPolicy" in str(finding.remedy)


def test_the_root_user_is_warned_of() -> None:
    assert s3_findings._identity({"Arn": "arn:aws:iam::1:root"}).status == "warning"


@pytest.mark.parametrize(
    "look", [s3_findings._identity, s3_findings._versions, s3_findings._public]
)
def test_what_may_not_be_seen_is_unknown_and_no_error(look: Callable[..., Finding]) -> None:
    assert look({"Error": {"Code": "AccessDenied"}}).status == "unknown"

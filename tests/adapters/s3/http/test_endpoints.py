"""A bucket's endpoint: the same that botocore resolves for the same options."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from statebucket import open_store
from statebucket.errors import InvalidArgument
from statebucket_s3.http.endpoints import endpoint_of, token_service_of
from statebucket_s3.http.settings import Settings, read_settings
from statebucket_s3.options import BucketOptions
from support.competing_processes import environ

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.awsrequest import AWSResponse

REGIONS = (
    "us-east-1",
    "eu-west-1",
    "ap-southeast-2",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-isof-south-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
    "mars-north-1",
    "aws-global",
    None,
)
NO_DUALSTACK = ("us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1")  # in botocore's tables
BUCKETS = ("plain-bucket", "with.dots", "Upper_case", "a" * 63, "ab.")
URLS = (
    "http://127.0.0.1:9000",
    "http://localhost:9000/",
    "https://minio.example",
    "https://minio.example:8443/base",
    "http://[::1]:9000",
    "https://s3.eu-west-1.amazonaws.com",
    "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
)


class Asked(Exception):
    pass


SESSION = get_session()


CONFIG_OF: Any = Config  # its stub knows fewer styles by type than by name


def resolved(bucket: str, settings: Settings, style: str) -> tuple[str, str, str] | None:
    """Scheme and host, path and signing region of botocore's request; None if it refuses."""
    client: Any = SESSION.create_client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=CONFIG_OF(
            s3={
                "addressing_style": style,
                "us_east_1_regional_endpoint": "regional" if settings.regional else "legacy",
            },
            use_fips_endpoint=settings.fips,
            use_dualstack_endpoint=settings.dualstack,
        ),
    )
    seen: list[Any] = []

    def instead(request: Any, **_: Any) -> AWSResponse:
        seen.append(request)
        raise Asked

    client.meta.events.register("before-send.s3", instead)
    try:
        client.get_object(Bucket=bucket, Key="k")
    except Asked:
        pass
    except (BotoCoreError, ValueError):
        return None
    parts = urlsplit(seen[0].url)
    scope = seen[0].headers["Authorization"].decode().split("/")[2]
    return f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/k"), scope


def ours(bucket: str, settings: Settings, style: str) -> tuple[str, str, str] | None:
    try:
        endpoint = endpoint_of(bucket, settings, style)
    except InvalidArgument:
        return None
    return f"{endpoint.scheme}://{endpoint.host}", endpoint.path, endpoint.region


@pytest.mark.parametrize("region", REGIONS)
def test_aws_itself(region: str | None) -> None:
    for fips, dualstack, style in product((False, True), (False, True), ("auto", "path")):
        settings = Settings(region, None, fips, dualstack, None)
        if dualstack and region in NO_DUALSTACK:
            continue
        for bucket in BUCKETS if not (fips or dualstack) else BUCKETS[:2]:
            assert ours(bucket, settings, style) == resolved(bucket, settings, style), (
                bucket,
                settings,
                style,
            )


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "aws-global"])
def test_the_first_region_by_its_name(region: str) -> None:
    for fips, dualstack, style in product((False, True), (False, True), ("auto", "path")):
        settings = Settings(region, None, fips, dualstack, None, regional=True)
        assert ours("b-1", settings, style) == resolved("b-1", settings, style), (settings, style)


@pytest.mark.parametrize(
    "lines", ["s3_us_east_1_regional_endpoint = {}", "s3 =\n  us_east_1_regional_endpoint = {}"]
)
def test_where_the_first_region_by_its_name_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    file = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for value, regional in ("regional", True), ("legacy", False):
        file.write_text(f"[default]\n{lines.format(value)}\n")
        assert read_settings(BucketOptions()).regional == regional
    monkeypatch.setenv("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "regional")
    assert read_settings(BucketOptions()).regional
    monkeypatch.setenv("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "both")
    with pytest.raises(InvalidArgument, match="must be regional or legacy: 'both'"):
        read_settings(BucketOptions())


@pytest.mark.parametrize("url", URLS)
def test_an_endpoint_of_the_users(url: str) -> None:
    for style, bucket in product(("path", "virtual"), BUCKETS[:3]):
        if bucket == "with.dots" and url in {URLS[0], URLS[4]}:
            continue  # botocore asks for with.dots.127.0.0.1, and an address has no names below it
        settings = Settings("eu-west-1", url, fips=False, dualstack=False, ca_bundle=None)
        assert ours(bucket, settings, style) == resolved(bucket, settings, style), (bucket, style)


@pytest.mark.parametrize(
    "url", ["minio:9000", "ftp://minio", "http://", "http://u:p@minio", "http://minio?a=b"]
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match="endpoint_url"):
        endpoint_of("bucket", Settings("eu-west-1", url, False, False, None), "path")  # noqa: FBT003


@pytest.mark.parametrize(
    "path",
    ["/a/../b", "/..", "/a/.", "/é", "/a b", "/%2e%2e/b", "/a%20b", "/a//b", "/a\\b", "/a+b"],
)
def test_a_path_that_would_be_sent_other_than_signed_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="path of endpoint_url"):
        open_store("s3://bucket/p?engine=http", endpoint_url=f"https://minio{path}/")


@pytest.mark.parametrize(
    "bucket", ["dir--use1-az4--x-s3", "point--use1-az4--xa-s3", "on-outposts--op-s3"]
)
def test_buckets_of_another_protocol_are_refused(bucket: str) -> None:
    with pytest.raises(InvalidArgument, match="default engine"):
        endpoint_of(bucket, Settings("us-east-1", None, False, False, None), "auto")  # noqa: FBT003


@pytest.mark.parametrize(
    "url", ["http://u:hunter2@minio", "http://minio?sig=hunter2", "ftp://u:hunter2@minio/@"]
)
def test_an_endpoint_of_the_environment_is_not_shown_with_its_secret(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    with pytest.raises(InvalidArgument, match="endpoint_url") as told:
        open_store("s3://bucket/p?engine=http")
    assert "hunter2" not in str(told.value)


CONFIG = """
[default]
region = eu-north-1
use_fips_endpoint = true

[profile other]
region = eu-south-1
ca_bundle = /ca.pem
services = local
[services local]
s3 =
    endpoint_url = http://localhost:1234
sqs =
    endpoint_url = http://localhost:9999
"""


def test_settings_come_from_options_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    plain = BucketOptions()
    assert read_settings(plain) == Settings(None, None, False, False, None)  # noqa: FBT003
    file = tmp_path / "config"
    file.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    assert read_settings(plain) == Settings("eu-north-1", None, True, False, None)  # noqa: FBT003
    monkeypatch.setenv("AWS_PROFILE", "other")
    url = "http://localhost:1234"
    assert read_settings(plain) == Settings("eu-south-1", url, False, False, "/ca.pem")  # noqa: FBT003
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://localhost:5")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    found = read_settings(plain)
    assert (found.region, found.endpoint_url, found.dualstack) == (
        "eu-west-2",
        "http://localhost:5",
        True,
    )
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert read_settings(plain).endpoint_url is None
    options = BucketOptions(region="x-y-1", endpoint_url="http://h")
    read = read_settings(options)
    assert (read.region, read.endpoint_url) == ("x-y-1", "http://h")
    file.write_text("no section")
    with pytest.raises(InvalidArgument, match="configuration"):
        read_settings(plain)


def test_settings_beside_the_keys_count_first_as_for_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    config, secrets = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[profile p]\nregion = eu-north-1\nuse_fips_endpoint = true\n")
    secrets.write_text("[p]\naws_secret_access_key = s\nregion = eu-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(secrets))
    monkeypatch.setenv("AWS_PROFILE", "p")
    sdk = get_session()
    assert sdk.get_config_variable("region") == "eu-south-1"
    found = read_settings(BucketOptions())
    assert (found.region, found.fips) == ("eu-south-1", True)


ELSEWHERE = """
import os, sys
from statebucket import open_store
for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME"):
    os.environ.pop(name, None)
os.environ["HOME"] = os.devnull
open_store("s3://bucket/p?engine=http")  # loads what it needs: root may read it
del os.environ["HOME"]
os.setuid(65111)
open_store("s3://bucket/p?engine=http")
os.environ["HOME"] = sys.argv[1]
open_store("s3://bucket/p?engine=http")
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change")
def test_a_home_that_is_no_one_s_or_another_s_holds_no_settings(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)], env=environ({}), check=True, timeout=60
    )


@pytest.mark.parametrize("region", REGIONS)
def test_where_sts_gives_keys_for_tokens(region: str | None) -> None:
    for fips, dualstack, legacy in product((False, True), repeat=3):
        if dualstack and region in NO_DUALSTACK:
            continue
        if region in {None, "aws-global"} and (fips or dualstack):
            continue  # botocore asks for a host that there is not
        SESSION.set_config_variable("sts_regional_endpoints", "legacy" if legacy else "regional")
        config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack)
        client = SESSION.create_client(
            "sts",
            region_name=region or "aws-global",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=config,
        )
        seen: list[str] = []

        def instead(request: Any, seen: list[str] = seen, **_: Any) -> AWSResponse:
            seen.append(request.url)
            raise Asked

        client.meta.events.register("before-send.sts", instead)
        with pytest.raises(Asked):
            client.get_caller_identity()
        endpoint = token_service_of(Settings(region, None, fips, dualstack, None), legacy=legacy)
        assert f"{endpoint.scheme}://{endpoint.host}/" == seen[0], (fips, dualstack, legacy)

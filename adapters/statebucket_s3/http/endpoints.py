"""The endpoint of a bucket on S3, by the rules that AWS publishes for its SDKs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from statebucket.errors import InvalidArgument, shown
from statebucket_http.endpoints import endpoint_at
from statebucket_http.wire import Endpoint
from statebucket_s3.partitions import (
    DIRECTORIES,
    dualstack_suffix_of,
    is_foreign,
    is_region,
    suffix_of,
)

if TYPE_CHECKING:
    from statebucket_s3.http.settings import Settings

AUTHORITIES = (b"Amazon", b"Starfield")
"""Who issues the certificates of AWS's own endpoints."""

_GLOBAL = "us-east-1"  # its host has no region in its name
_ANY = "aws-global"
_FIRST_OF_STS = (
    r"ap-(northeast-1|south-1|southeast-[12])|ca-central-1|eu-(central-1|north-1|west-[123])|"
    r"sa-east-1|us-(east|west)-[12]"
)
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LABEL_LENGTHS = range(3, 64)
_LABELS = r"(?=.{3,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
_ADDRESS = r"\d+\.\d+\.\d+\.\d+"
_OTHER_PROTOCOLS = (*DIRECTORIES, "--op-s3", ".mrap")


def endpoint_of(bucket: str, settings: Settings, style: str) -> Endpoint:
    """The endpoint of a bucket.

    Args:
        bucket: Its name.
        settings: Region and endpoint.
        style: "path", "virtual" or "auto".

    Raises:
        InvalidArgument: These settings have no endpoint.
    """
    region = settings.region or _GLOBAL
    if region == _ANY:
        region = _GLOBAL
    _check(region)
    if bucket.endswith(_OTHER_PROTOCOLS):
        raise InvalidArgument(
            f"engine=http does not support this type of bucket, {bucket!r}: use the default engine"
        )
    if settings.endpoint_url is not None:
        return _given(bucket, settings, style, region)
    if settings.fips and region.startswith("cn-"):
        raise InvalidArgument("AWS has no FIPS endpoints in China")
    service = "s3-fips" if settings.fips else "s3"
    if settings.dualstack:
        service += ".dualstack"
    named = region != _GLOBAL or (settings.regional and settings.region == _GLOBAL)
    if named or settings.fips or settings.dualstack:
        service += f".{region}"
    host = f"{service}.{suffix_of(region)}"
    if style == "path" or not _is_label(bucket):
        return Endpoint("https", host, f"/{bucket}", region)
    return Endpoint("https", f"{bucket}.{host}", "", region)


def account_of(settings: Settings) -> Endpoint:
    """The endpoint of S3 itself, where the account's buckets are listed.

    Raises:
        InvalidArgument: As `endpoint_of`.
    """
    endpoint = endpoint_of("", settings, "path")
    return replace(endpoint, path=endpoint.path.removesuffix("/"))


def sts_of(settings: Settings) -> Endpoint:
    """The endpoint of STS: AWS's, or that of a compatible service.

    Raises:
        InvalidArgument: As `endpoint_of`.
    """
    s3 = account_of(settings)
    if is_foreign(settings.endpoint_url):
        return s3
    service = "sts-fips" if settings.fips else "sts"
    return Endpoint("https", f"{service}.{s3.region}.{suffix_of(s3.region)}", "", s3.region)


def token_service_of(settings: Settings, *, legacy: bool) -> Endpoint:
    """The endpoint of STS that gives keys for tokens.

    Args:
        settings: Region and, for STS, endpoint.
        legacy: Whether STS's first regions use the endpoint without a region.

    Raises:
        InvalidArgument: These settings have no endpoint.
    """
    if settings.endpoint_url is not None:
        return endpoint_at(settings.endpoint_url, "the endpoint of STS")
    region = settings.region or _ANY
    _check(region)
    plain = not (settings.fips or settings.dualstack)
    if plain and (region == _ANY or (legacy and re.fullmatch(_FIRST_OF_STS, region))):
        return Endpoint("https", "sts.amazonaws.com", "", _GLOBAL)
    if region == _ANY:
        region = _GLOBAL
    gov = region.startswith("us-gov-") and not settings.dualstack
    service = "sts-fips" if settings.fips and not gov else "sts"
    suffix = dualstack_suffix_of(region) if settings.dualstack else suffix_of(region)
    return Endpoint("https", f"{service}.{region}.{suffix}", "", region)


def _check(region: str) -> None:
    if not is_region(region):
        raise InvalidArgument(f"{shown(region)} is not a valid region")


def _given(bucket: str, settings: Settings, style: str, region: str) -> Endpoint:
    """The endpoint below a URL that the user gave."""
    # The option was checked when the store was opened.
    given = endpoint_at(str(settings.endpoint_url), "endpoint_url, or AWS_ENDPOINT_URL,")
    if settings.fips or settings.dualstack:
        raise InvalidArgument("FIPS and dual-stack do not apply to a custom endpoint_url")
    host = given.host.partition(":")[0]
    if (
        style == "virtual"
        and _hostable(bucket, given.scheme)
        and not (host[0] == "[" or re.fullmatch(_ADDRESS, host))
    ):
        return Endpoint(given.scheme, f"{bucket}.{given.host}", given.path, region)
    return Endpoint(given.scheme, given.host, f"{given.path}/{bucket}", region)


def _hostable(bucket: str, scheme: str) -> bool:
    """Whether a bucket's name can begin a host name; with TLS it must be a single label."""
    return bool(re.fullmatch(_LABELS, bucket)) if scheme == "http" else _is_label(bucket)


def _is_label(bucket: str) -> bool:
    inner = "-" not in {bucket[:1], bucket[-1:]}
    return inner and len(bucket) in _LABEL_LENGTHS and _LABEL.issuperset(bucket)

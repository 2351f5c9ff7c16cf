"""Region, endpoint and trust, from options, the environment and AWS's configuration file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import InvalidArgument, shown
from statebucket_s3.http.profiles import Profile

if TYPE_CHECKING:
    from statebucket_s3.options import BucketOptions


class Settings(msgspec.Struct, frozen=True):
    """How to reach AWS, as configured.

    Attributes:
        regional: Whether us-east-1 is reached by the host with its name, as within a VPC that has
            an interface endpoint for that host only.
    """

    region: str | None
    endpoint_url: str | None
    fips: bool
    dualstack: bool
    ca_bundle: str | None
    regional: bool = False


def read_settings(options: BucketOptions) -> Settings:
    """Reads the settings in the SDK's order: options, environment, file.

    Raises:
        InvalidArgument: The configuration file cannot be read, or a setting has an invalid value.
    """
    environ = os.environ
    profile = Profile()
    setting = profile.get
    return Settings(
        region=(
            options.region
            or environ.get("AWS_DEFAULT_REGION")
            or setting("region")
            or environ.get("AWS_REGION")
        ),
        endpoint_url=options.endpoint_url or configured_endpoint(profile, "s3"),
        fips=yes(environ.get("AWS_USE_FIPS_ENDPOINT") or setting("use_fips_endpoint")),
        dualstack=yes(
            environ.get("AWS_USE_DUALSTACK_ENDPOINT") or setting("use_dualstack_endpoint")
        ),
        ca_bundle=(
            environ.get("AWS_CA_BUNDLE")
            or setting("ca_bundle")
            or environ.get("REQUESTS_CA_BUNDLE")
        ),
        regional=_regional(profile),
    )


def _regional(profile: Profile) -> bool:
    name = "us_east_1_regional_endpoint"
    mode = (
        os.environ.get(f"AWS_S3_{name.upper()}")
        or profile.get(f"s3_{name}")
        or profile.nested("s3", name)
        or "legacy"
    )
    if mode not in {"regional", "legacy"}:
        raise InvalidArgument(f"AWS_S3_{name.upper()} must be regional or legacy: {shown(mode)}")
    return mode == "regional"


def configured_endpoint(profile: Profile, service: str) -> str | None:
    """The URL that the environment or the profile names for a service; None for AWS's own."""
    environ = os.environ
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    if yes(ignored or profile.get("ignore_configured_endpoint_urls")):
        return None
    return (
        environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        or environ.get("AWS_ENDPOINT_URL")
        or profile.service(service, "endpoint_url")
        or profile.get("endpoint_url")
    )


def yes(text: str | None) -> bool:
    """Whether a setting is on."""
    return text is not None and text.strip().lower() == "true"

"""Amazon S3 and services that speak its protocol.

``s3://`` goes through the SDK (`statebucket_s3.sdk`); with ``engine=http`` the requests are our own
(`statebucket_s3.http`). This package contains what both engines share: codes, options, lifecycle
rules, findings.
"""

from __future__ import annotations

from statebucket.errors import AdapterNotInstalled, InvalidURL, shown
from statebucket.port.bucket import Location, OpenedBucket
from statebucket.port.url import container_of, prefix_of


def open_bucket(location: Location) -> OpenedBucket:
    """Opens ``s3://bucket/prefix``; see `statebucket_s3.sdk.options.S3Options` for the options.

    The SDK is loaded here, so that a function that opens its store at module scope loads it in its
    init phase; the client is made at the first request.

    Raises:
        AdapterNotInstalled: Neither aioboto3 nor aiobotocore is installed.
        InvalidURL: The URL names no bucket, or its prefix or ``endpoint_url`` breaks a rule.
        InvalidArgument: An option is unknown or of the wrong type.
    """
    from importlib.util import find_spec  # noqa: PLC0415  (as what follows)

    if find_spec("aiobotocore") is None:
        raise AdapterNotInstalled(
            "s3:// needs aioboto3: pip install 'statebucket[s3]' (or 'statebucket[aiobotocore]', "
            "for aiobotocore alone and its newest release)"
        )
    from statebucket_s3.sdk.bucket import SDKBucket  # noqa: PLC0415  (only where S3 is used)
    from statebucket_s3.sdk.options import S3Options  # noqa: PLC0415

    options = S3Options.of(location)
    return OpenedBucket(SDKBucket(_bucket_of(location), options, location), prefix_of(location))


def open_bucket_over_http(location: Location) -> OpenedBucket:
    """Opens ``s3://bucket/prefix?engine=http``; see `statebucket_s3.http.options.HTTPOptions`.

    Raises:
        InvalidURL: The URL names no bucket, or its prefix breaks a rule.
        InvalidArgument: An option is unknown or has an invalid value.
    """
    from statebucket_s3.http.bucket import HTTPBucket  # noqa: PLC0415  (only where it is used)
    from statebucket_s3.http.options import HTTPOptions  # noqa: PLC0415

    options = HTTPOptions.of(location)
    return OpenedBucket(HTTPBucket(_bucket_of(location), options, location), prefix_of(location))


def _bucket_of(location: Location) -> str:
    """The bucket, or the alias of an access point, which S3 takes in place of a bucket's name."""
    if location.host.startswith("arn:"):
        raise InvalidURL(
            "s3:// must name an access point by its alias, as in s3://name-…-s3alias/prefix, and "
            f"not by its ARN: {shown(location.host)}"
        )
    return container_of(location)

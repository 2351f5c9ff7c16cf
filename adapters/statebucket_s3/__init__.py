"""Amazon S3 and services that speak its protocol, through aioboto3."""

from __future__ import annotations

from importlib.util import find_spec

from statebucket.bucket import Location, OpenedBucket
from statebucket.errors import AdapterNotInstalled
from statebucket.url import container_of, prefix_of


def open_bucket(location: Location) -> OpenedBucket:
    """Opens ``s3://bucket/prefix``; see `statebucket_s3.options.S3Options` for the options.

    The SDK is loaded here, so that a function that opens its store at module scope loads it in its
    init phase; the client is made at the first request.

    Raises:
        AdapterNotInstalled: aioboto3 is missing.
        InvalidURL: The URL names no bucket, or its prefix or ``endpoint_url`` breaks a rule.
        InvalidArgument: An option is unknown or not of its type.
    """
    if find_spec("aioboto3") is None:
        raise AdapterNotInstalled("s3:// needs aioboto3: pip install 'statebucket[s3]'")
    from statebucket_s3.bucket import S3Bucket  # noqa: PLC0415  (only where S3 is used)
    from statebucket_s3.options import S3Options  # noqa: PLC0415

    options = S3Options.of(location)
    return OpenedBucket(S3Bucket(container_of(location), options, location), prefix_of(location))

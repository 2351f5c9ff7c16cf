"""Object storage through a compiled HTTP client and requests of our own, without an SDK."""

from __future__ import annotations

from importlib.util import find_spec

from statebucket.bucket import Location, OpenedBucket
from statebucket.errors import AdapterNotInstalled
from statebucket.url import container_of, prefix_of


def open_s3(location: Location) -> OpenedBucket:
    """Opens ``s3://bucket/prefix?engine=http``; see `statebucket_http.options.HTTPOptions`.

    Raises:
        AdapterNotInstalled: pyreqwest is missing.
        InvalidURL: The URL names no bucket, or its prefix breaks a rule.
        InvalidArgument: An option is unknown, or not what it may be.
    """
    if find_spec("pyreqwest") is None:
        raise AdapterNotInstalled("engine=http needs pyreqwest: pip install 'statebucket[http]'")
    from statebucket_http.bucket import S3Bucket  # noqa: PLC0415  (only where it is used)
    from statebucket_http.options import HTTPOptions  # noqa: PLC0415

    options = HTTPOptions.of(location)
    return OpenedBucket(S3Bucket(container_of(location), options, location), prefix_of(location))

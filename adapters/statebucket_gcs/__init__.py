"""The adapter for Google Cloud Storage: ``gs://bucket/prefix``.

``gs://`` goes through the SDK (`statebucket_gcs.sdk`); with ``engine=http`` our own client sends
the requests (`statebucket_gcs.http`). This package contains what both share: the requests, and what
replies mean. `statebucket_gcs.options` has the URL parameters and keywords that both take.
"""

from __future__ import annotations

from statebucket.errors import AdapterNotInstalled
from statebucket.port.bucket import Location, OpenedBucket
from statebucket.port.url import container_of, prefix_of


def open_bucket(location: Location) -> OpenedBucket:
    """Opens ``gs://bucket/prefix``.

    The SDK is loaded here, so that a function that opens its store at module scope loads it in its
    init phase; the client is made, and credentials are looked for, at the first request.

    Raises:
        AdapterNotInstalled: google-cloud-storage is missing.
        InvalidURL: The URL's bucket or prefix, or ``endpoint_url``, is not what it must be.
        InvalidArgument: An option is unknown, of the wrong type, or contradicts another.
    """
    if not _installed():
        raise AdapterNotInstalled(
            "gs:// needs google-cloud-storage: pip install 'statebucket[gcs]'"
        )
    from statebucket_gcs.bucket import GCSBucket  # noqa: PLC0415  (only once it is used)
    from statebucket_gcs.sdk.connection import Connections  # noqa: PLC0415  (as above)
    from statebucket_gcs.sdk.options import SDKOptions  # noqa: PLC0415  (as above)

    name, options = container_of(location), SDKOptions.of(location)
    sender = Connections(options, location.deadline, location.max_in_flight)
    bucket = GCSBucket(name, sender, kms_key_name=options.kms_key_name)
    return OpenedBucket(bucket, prefix_of(location))


def open_bucket_over_http(location: Location) -> OpenedBucket:
    """Opens ``gs://bucket/prefix?engine=http``; see `statebucket_gcs.http.options.HTTPOptions`.

    Credentials are looked for at the first request.

    Raises:
        InvalidURL: The URL's bucket or prefix, or ``endpoint_url``, is not what it must be.
        InvalidArgument: An option is unknown, of the wrong type, or contradicts another; or
            credentials would be sent in clear text.
    """
    from statebucket_gcs.bucket import GCSBucket  # noqa: PLC0415  (only once it is used)
    from statebucket_gcs.http.options import HTTPOptions  # noqa: PLC0415  (as above)
    from statebucket_gcs.http.sender import HTTPSender  # noqa: PLC0415  (as above)

    name, options = container_of(location), HTTPOptions.of(location)
    sender = HTTPSender(options, location.deadline, location.max_in_flight)
    bucket = GCSBucket(name, sender, kms_key_name=options.kms_key_name)
    return OpenedBucket(bucket, prefix_of(location))


def _installed() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415  (for the default engine only)

    try:
        return find_spec("google.cloud.storage") is not None
    except ModuleNotFoundError:  # not even google.cloud
        return False

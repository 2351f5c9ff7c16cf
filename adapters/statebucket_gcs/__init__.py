"""The adapter for Google Cloud Storage: ``gs://bucket/prefix``.

`statebucket_gcs.options.GCSOptions` has what it takes as URL parameters or keywords of
``open_store``.
"""

from __future__ import annotations

from importlib.util import find_spec

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
        InvalidArgument: An option is unknown, not of its type, or contradicts another.
    """
    if not _installed():
        raise AdapterNotInstalled(
            "gs:// needs google-cloud-storage: pip install 'statebucket[gcs]'"
        )
    from statebucket_gcs.bucket import GCSBucket  # noqa: PLC0415  (only once it is used)
    from statebucket_gcs.options import options_of  # noqa: PLC0415  (only once it is used)
    from statebucket_gcs.sdk.connection import Connections  # noqa: PLC0415  (as above)

    name, options = container_of(location), options_of(location)
    sender = Connections(options, location.deadline, location.max_in_flight)
    bucket = GCSBucket(name, sender, kms_key_name=options.kms_key_name)
    return OpenedBucket(bucket, prefix_of(location))


def _installed() -> bool:
    try:
        return find_spec("google.cloud.storage") is not None
    except ModuleNotFoundError:  # not even google.cloud
        return False

"""Azure Blob Storage.

``az://`` goes through azure-storage-blob's asynchronous clients (`statebucket_azure.sdk`); with
``engine=http`` the requests are our own (`statebucket_azure.http`). This package contains what both
engines share: codes, options, pages, findings, remedies.
"""

from __future__ import annotations

from statebucket.errors import AdapterNotInstalled
from statebucket.port.bucket import Location, OpenedBucket
from statebucket.port.url import container_of, prefix_of


def open_bucket(location: Location) -> OpenedBucket:
    """Opens ``az://container/prefix``; see `statebucket_azure.sdk.options.AzureOptions`.

    The SDK is loaded here, so that a function that opens its store at module scope loads it in its
    init phase; clients are made at the first request.

    Raises:
        AdapterNotInstalled: azure-storage-blob or aiohttp is missing.
        InvalidURL: The URL names no container or account, or its prefix breaks a rule.
        InvalidArgument: An option is unknown or has an invalid value.
        InvalidCredentials: There are no credentials to try.
    """
    for package, module in (("azure-storage-blob", "azure.storage.blob"), ("aiohttp", "aiohttp")):
        if not _installed(module):
            raise AdapterNotInstalled(f"az:// needs {package}: pip install 'statebucket[azure]'")
    from statebucket_azure.sdk.bucket import AzureBucket  # noqa: PLC0415  (only where Azure is used)
    from statebucket_azure.sdk.options import AzureOptions  # noqa: PLC0415
    from statebucket_azure.sdk.target import Target  # noqa: PLC0415

    container = container_of(location, what="container")
    prefix = prefix_of(location)
    options = AzureOptions.of(location)
    return OpenedBucket(AzureBucket(Target(container, options, location), options), prefix)


def open_bucket_over_http(location: Location) -> OpenedBucket:
    """Opens ``az://…?engine=http``; see `statebucket_azure.http.options.HTTPOptions`.

    Raises:
        InvalidURL: The URL names no container or account, or its prefix breaks a rule.
        InvalidArgument: An option is unknown or has an invalid value.
        InvalidCredentials: The key or signature is not valid.
    """
    from statebucket_azure.http.bucket import HTTPBucket  # noqa: PLC0415  (only where it is used)
    from statebucket_azure.http.options import HTTPOptions  # noqa: PLC0415

    container = container_of(location, what="container")
    prefix = prefix_of(location)
    return OpenedBucket(HTTPBucket(container, HTTPOptions.of(location), location), prefix)


def _installed(module: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415  (for the default engine only)

    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False

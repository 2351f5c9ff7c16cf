"""The subjects on each service."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from benchmarks.speed.libraries import (
    LangGraph,
    Obstore,
    ObstoreAzure,
    ObstoreBlocking,
    ObstoreGcs,
    PyKeyValue,
    S3fs,
)
from benchmarks.speed.ours import (
    Ours,
    OursAzure,
    OursAzureHttp,
    OursBlocking,
    OursGcs,
    OursGcsHttp,
    OursHttp,
)
from benchmarks.speed.sdks import (
    Aioboto3,
    AzureSdk,
    Boto3,
    GoogleSdk,
    TunedAzure,
    TunedGcs,
    TunedS3,
)

if TYPE_CHECKING:
    from benchmarks.speed.base import Subject

SUBJECTS: dict[str, dict[str, tuple[str, type[Subject]]]] = {
    "s3": {
        "statebucket": ("aioboto3", Ours),
        "statebucket, engine=http": ("statebucket_http", OursHttp),
        "statebucket.sync, engine=http": ("statebucket_http", OursBlocking),
        "tuned SDK by hand": ("aioboto3", TunedS3),
        "aioboto3 by hand": ("aioboto3", Aioboto3),
        "boto3 in threads": ("boto3", Boto3),
        "py-key-value S3Store": ("key_value", PyKeyValue),
        "s3fs": ("s3fs", S3fs),
        "langgraph-checkpoint-s3": ("langgraph_checkpoint_s3", LangGraph),
        "obstore": ("obstore", Obstore),
        "obstore, blocking": ("obstore", ObstoreBlocking),
    },
    "gcs": {
        "statebucket": ("google.cloud.storage", OursGcs),
        "statebucket, engine=http": ("statebucket_http", OursGcsHttp),
        "tuned SDK by hand": ("google.cloud.storage", TunedGcs),
        "google-cloud-storage in threads": ("google.cloud.storage", GoogleSdk),
        "obstore": ("obstore", ObstoreGcs),
    },
    "azure": {
        "statebucket": ("azure.storage.blob", OursAzure),
        "statebucket, engine=http": ("statebucket_http", OursAzureHttp),
        "tuned SDK by hand": ("azure.storage.blob", TunedAzure),
        "azure-storage-blob.aio by hand": ("azure.storage.blob", AzureSdk),
        "obstore": ("obstore", ObstoreAzure),
    },
}
"""By service: each subject with the package that it needs."""


def installed(cloud: str) -> list[str]:
    """The subjects that can be measured here."""
    return [
        name
        for name, (package, _) in SUBJECTS[cloud].items()
        if importlib.util.find_spec(package) is not None
    ]

"""Execution state and TTL key-values for serverless functions, in object storage.

One contract, `StateStore`, over S3, Google Cloud Storage and Azure Blob, and an embedded default in
an SQLite file or in memory::

    async with open_store("s3://bucket/prefix?region=eu-west-1") as store:
        acme = store.tenant("acme")
        await acme.save_snapshot(snapshot)
"""

from statebucket import errors
from statebucket.ids import ExecutionId, StepId, TenantId, UserId
from statebucket.protocols import StateStore, StorageBackend
from statebucket.registry import open_store
from statebucket.reports import DeletionReport, SweepReport
from statebucket.snapshot import ExecutionSnapshot
from statebucket.states import ExecutionState, Waiting, WaitReason
from statebucket.versions import Stored, Version

__version__ = "0.1.0"

__all__ = [
    "DeletionReport",
    "ExecutionId",
    "ExecutionSnapshot",
    "ExecutionState",
    "StateStore",
    "StepId",
    "StorageBackend",
    "Stored",
    "SweepReport",
    "TenantId",
    "UserId",
    "Version",
    "WaitReason",
    "Waiting",
    "errors",
    "open_store",
]

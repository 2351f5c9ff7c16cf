"""Execution state and TTL key-values for serverless functions, in object storage.

One contract, `StateStore`, over S3, Google Cloud Storage and Azure Blob, and an embedded default in
an SQLite file or in memory::

    async with open_store("s3://bucket/prefix?region=eu-west-1") as store:
        acme = store.tenant("acme")
        await acme.save_snapshot(snapshot)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from statebucket import errors
from statebucket.contract.ids import ExecutionId, StepId, TenantId, UserId
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import StateStore, StorageBackend
from statebucket.contract.states import ExecutionState, Waiting, WaitReason
from statebucket.contract.versions import Stored, Version
from statebucket.opening import open_store

if TYPE_CHECKING:
    from statebucket.contract.entries import Entry as Entry
    from statebucket.contract.entries import KeyEntry as KeyEntry
    from statebucket.contract.entries import SnapshotEntry as SnapshotEntry
    from statebucket.contract.execution import ExecutionStore as ExecutionStore
    from statebucket.contract.lease import Lease as Lease
    from statebucket.contract.lifecycle import LifecyclePlan as LifecyclePlan
    from statebucket.contract.lifecycle import LifecycleReport as LifecycleReport
    from statebucket.contract.offboarding import OffboardingReport as OffboardingReport
    from statebucket.contract.partition import Partition as Partition
    from statebucket.contract.reports import DeletionReport, SweepReport
    from statebucket.contract.stats import Stats
    from statebucket.contract.writer import SnapshotWriter as SnapshotWriter

__version__ = "0.1.0"

__all__ = [
    "DeletionReport",
    "ExecutionId",
    "ExecutionSnapshot",
    "ExecutionState",
    "StateStore",
    "Stats",
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

# Most are not in __all__: ``import *`` and the API reference would load them.
_LATER = {
    "DeletionReport": "statebucket.contract.reports",
    "Entry": "statebucket.contract.entries",
    "ExecutionStore": "statebucket.contract.execution",
    "KeyEntry": "statebucket.contract.entries",
    "SnapshotEntry": "statebucket.contract.entries",
    "Lease": "statebucket.contract.lease",
    "LifecyclePlan": "statebucket.contract.lifecycle",
    "LifecycleReport": "statebucket.contract.lifecycle",
    "OffboardingReport": "statebucket.contract.offboarding",
    "Partition": "statebucket.contract.partition",
    "SnapshotWriter": "statebucket.contract.writer",
    "Stats": "statebucket.contract.stats",
    "SweepReport": "statebucket.contract.reports",
}

if not TYPE_CHECKING:  # or a type checker would accept any name

    def __getattr__(name: str) -> type:
        """Loads the modules of what a store returns on first use, off the cold-start path."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_LATER[name]), name)

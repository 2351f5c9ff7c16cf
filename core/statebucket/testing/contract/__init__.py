"""The contract suite: what every `StateStore` promises, as pytest tests."""

from statebucket.testing.contract.backend import BackendContract
from statebucket.testing.contract.bad_input import BadInputContract
from statebucket.testing.contract.corrupt import CorruptContract
from statebucket.testing.contract.deletion import DeletionContract
from statebucket.testing.contract.executions import ExecutionContract
from statebucket.testing.contract.keys import KeyContract
from statebucket.testing.contract.leases import LeaseContract, WriterContract
from statebucket.testing.contract.listing import ListingContract
from statebucket.testing.contract.names import NameContract
from statebucket.testing.contract.partitions import PartitionContract
from statebucket.testing.contract.removal import RemovalContract
from statebucket.testing.contract.requests import RequestCountContract
from statebucket.testing.contract.snapshots import SnapshotContract
from statebucket.testing.contract.sweep import SweepContract
from statebucket.testing.contract.tenants import TenantContract
from statebucket.testing.contract.ttl import TTLContract
from statebucket.testing.contract.updates import UpdateContract
from statebucket.testing.contract.versions import VersionContract


class StateStoreContract(
    BackendContract,
    SnapshotContract,
    KeyContract,
    NameContract,
    VersionContract,
    DeletionContract,
    UpdateContract,
    TTLContract,
    ListingContract,
    TenantContract,
    ExecutionContract,
    RemovalContract,
    SweepContract,
    PartitionContract,
    LeaseContract,
    WriterContract,
    CorruptContract,
    BadInputContract,
):
    """Everything that a store promises. Subclass it with a ``target`` fixture."""


__all__ = ["RequestCountContract", "StateStoreContract"]

"""The states of an execution, in the form that serde writes for the Rust enum of the same name."""

from __future__ import annotations

from enum import Enum

import msgspec

from statebucket.errors import InvalidSnapshot, shown


class WaitReason(Enum):
    """What a waiting execution waits for."""

    APPROVAL = "Approval"
    USER_INPUT = "UserInput"
    RATE_LIMIT = "RateLimit"
    EXTERNAL = "External"
    CHECKPOINT = "Checkpoint"
    COST_THRESHOLD = "CostThreshold"
    MEMORY_PRESSURE = "MemoryPressure"
    SUB_AGENT = "SubAgent"


class Waiting(msgspec.Struct, frozen=True):
    """The state of an execution that waits: ``Waiting(WaitReason.APPROVAL)``.

    In JSON it is ``{"Waiting": "Approval"}``.
    """

    reason: WaitReason = msgspec.field(name="Waiting")

    def __post_init__(self) -> None:
        if not isinstance(self.reason, WaitReason):
            raise InvalidSnapshot(f"state: Waiting takes a WaitReason: {shown(self.reason)}")

    @property
    def is_terminal(self) -> bool:
        """False: a waiting execution is not finished."""
        return False

    @property
    def can_resume(self) -> bool:
        """True: a waiting execution can be resumed."""
        return True

    @property
    def is_active(self) -> bool:
        """True: a waiting execution is under way."""
        return True


class ExecutionState(Enum):
    """The states that need no reason; see `Waiting` for the one that does."""

    CREATED = "Created"
    PLANNING = "Planning"
    RUNNING = "Running"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @staticmethod
    def waiting(reason: WaitReason) -> Waiting:
        """The waiting state; the same as ``Waiting(reason)``."""
        return Waiting(reason)

    @property
    def is_terminal(self) -> bool:
        """Whether the execution is finished: Completed, Failed, Cancelled."""
        return (
            self is ExecutionState.COMPLETED
            or self is ExecutionState.FAILED
            or self is ExecutionState.CANCELLED
        )

    @property
    def can_resume(self) -> bool:
        """Whether the execution can be resumed: Paused (or Waiting)."""
        return self is ExecutionState.PAUSED

    @property
    def is_active(self) -> bool:
        """Whether the execution is under way: Running (or Waiting)."""
        return self is ExecutionState.RUNNING

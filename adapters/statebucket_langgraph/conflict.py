"""The error for the second of two workers on one checkpoint."""

from __future__ import annotations

from statebucket.errors import VersionConflict


class CheckpointConflict(VersionConflict):
    """Another run has continued the thread meanwhile, and this checkpoint was not stored.

    It is raised when a run saves a checkpoint but the thread's newest one is no longer the one that
    the run continued. Start the run again: it then continues the newest checkpoint.

    Attributes:
        thread_id: The thread.
        checkpoint_ns: The namespace in it; empty for the graph itself, else a subgraph's.
        parent_id: The checkpoint that the run continued; None if it started the thread.
        newest_id: The thread's newest checkpoint; None if the thread is gone.
    """

    def __init__(
        self, thread_id: str, checkpoint_ns: str, parent_id: str | None, newest_id: str | None
    ) -> None:
        basis = "a new thread" if parent_id is None else f"checkpoint {parent_id!r}"
        found = (
            "that is gone: it was deleted or has expired"
            if newest_id is None
            else f"which another run has brought to {newest_id!r} meanwhile"
        )
        super().__init__(
            f"the run has continued {basis} of thread {thread_id!r}, {found}; nothing was stored: "
            "start the run again from the newest checkpoint"
        )
        self.thread_id = thread_id
        self.checkpoint_ns = checkpoint_ns
        self.parent_id = parent_id
        self.newest_id = newest_id

"""Where the sessions of a project are: a tenant of the store, or a part of a tenant's view."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from statebucket import ExecutionStore, StateStore


class Project(NamedTuple):
    """The sessions of a project.

    In a store without a tenant the project is a tenant and a session an execution of its. In a
    tenant's view it is the beginning of its executions' ids.

    Attributes:
        view: The tenant's view.
        prefix: What the ids of its sessions' executions begin with.
    """

    view: StateStore
    prefix: str

    def session(self, session_id: str) -> ExecutionStore:
        """A session's snapshot, which has its summary, and keys, which have its transcripts."""
        # Where the summary is not written yet, or has gone, the transcripts are no orphans.
        return self.view.execution(self.prefix + session_id, keep=True)


def project_in(store: StateStore, project_key: str) -> Project:
    """The sessions of a project, in a store or a tenant's view."""
    if store.tenant_id is None:
        return Project(store.tenant(project_key), "")
    return Project(store, project_key.replace("%", "%25").replace("/", "%2F") + "/")

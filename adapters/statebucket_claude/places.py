"""Where a project's sessions are stored: in a tenant, or in a part of a tenant's view."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from statebucket import ExecutionStore, StateStore


class Project(NamedTuple):
    """The sessions of a project.

    In a store without a tenant, a project is a tenant, and a session one of its executions. In a
    tenant's view, a project is a prefix of its executions' ids.

    Attributes:
        view: The tenant's view.
        prefix: How the ids of its sessions' executions begin.
    """

    view: StateStore
    prefix: str

    def session(self, session_id: str) -> ExecutionStore:
        """A session's execution: its snapshot has the summary, its keys have the transcripts."""
        # So that transcripts are not orphans while the summary is not written yet, or is gone.
        return self.view.execution(self.prefix + session_id, keep=True)


def project_in(store: StateStore, project_key: str) -> Project:
    """The sessions of a project, in a store or a tenant's view."""
    if store.tenant_id is None:
        return Project(store.tenant(project_key), "")
    return Project(store, project_key.replace("%", "%25").replace("/", "%2F") + "/")

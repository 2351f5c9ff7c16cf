"""Where a project's sessions are stored: in a tenant, or in a part of a tenant's view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from statebucket.errors import InvalidArgument, shown

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
    """The sessions of a project, in a store or a tenant's view.

    Raises:
        InvalidArgument: The project's key is not a text, or empty.
    """
    project_key = _text("project_key", project_key)
    if store.tenant_id is None:
        return Project(store.tenant(project_key), "")
    return Project(store, project_key.replace("%", "%25").replace("/", "%2F") + "/")


def session_in(store: StateStore, key: Mapping[str, object]) -> ExecutionStore:
    """The execution of the session that a key of the SDK names.

    Raises:
        InvalidArgument: The key is not one: it lacks the project or the session, or what it has in
            their place, or for the subpath, is not a text.
    """
    if not isinstance(key, Mapping) or not {"project_key", "session_id"} <= key.keys():
        raise InvalidArgument(
            "a session's key must be a dict with project_key and session_id, as in "
            f'{{"project_key": "app", "session_id": "1"}}: {shown(key)}'
        )
    project_key, session_id, subpath = map(key.get, ("project_key", "session_id", "subpath"))
    project = project_in(store, _text("project_key", project_key))
    if subpath is not None and not isinstance(subpath, str):
        raise InvalidArgument(f"subpath must be a text, or left out: {shown(subpath)}")
    return project.session(_text("session_id", session_id))


def _text(what: str, given: object) -> str:
    if not isinstance(given, str) or not given:
        raise InvalidArgument(f"{what} must be a text that is not empty: {shown(given)}")
    return given

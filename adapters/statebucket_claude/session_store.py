"""The session store: the Claude Agent SDK's calls on `statebucket.StateStore`."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from claude_agent_sdk import SessionStore, fold_session_summary

from statebucket import ExecutionState, Version, errors
from statebucket.given import asynchronous_store
from statebucket_claude import transcripts
from statebucket_claude.places import project_in, session_in

if TYPE_CHECKING:
    from claude_agent_sdk import (
        SessionKey,
        SessionListSubkeysKey,
        SessionStoreEntry,
        SessionStoreListEntry,
        SessionSummaryEntry,
    )

    from statebucket import ExecutionSnapshot, ExecutionStore, SnapshotEntry, StateStore

K = TypeVar("K")
V = TypeVar("V")

_PACK_AT = 64
_REMEMBERED = 1000  # transcripts, and sessions whose last summary is kept in memory


class _Known(NamedTuple):
    """The summary that this process wrote last."""

    snapshot: ExecutionSnapshot
    version: Version


class _Tail(NamedTuple):
    """What this process knows of the end of a transcript.

    Attributes:
        name: The last part's name.
        loose: How many parts are not in a pack.
        unfinished: A hash of that part until its append has succeeded. The SDK tries again with the
            same entries, which then become the same part, not another one.
    """

    name: str = ""
    loose: int = 0
    unfinished: bytes = b""


class StatebucketSessionStore(SessionStore):
    """Sessions of the Claude Agent SDK in S3, Cloud Storage, Azure Blob or an SQLite file.

    A project is a tenant of the store and a session one of its executions: each append writes a new
    part of the transcript, and the snapshot has the summary. With a tenant's view, all projects
    belong to that tenant. The SDK's ``fold_session_summary`` makes the summaries; if two processes
    append to one session at the same time, neither loses what the other has added to it.

    It may be made at import time and used from any event loop; the store is never closed here.

    Args:
        store: A store of `statebucket.open_store`, or a tenant's view.

    Raises:
        InvalidArgument: It is a URL or another kind of store.
        StateBucketError: Calls raise the errors of `statebucket.StateStore`, and `InvalidArgument`
            for a key without a project or a session.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = asynchronous_store(store, "StatebucketSessionStore")
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._tails: OrderedDict[tuple[str, str, str], _Tail] = OrderedDict()

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Adds a batch of entries: 2 requests, 1 for a subagent.

        A process's first append to a session takes up to 3 more, to continue the summary. Every 64
        appends the parts of a transcript are packed; see `compact`.

        Raises:
            InvalidArgument: ``entries`` is not a list of dicts.
            InvalidValue: JSON cannot represent one of them.
        """
        session = session_in(self._store, key)
        body = _encoded(entries)
        if not entries:
            return
        root = transcripts.root_of(key.get("subpath"))
        digest = hashlib.sha256(body).digest()
        tail = self._tail(key, root)
        if tail.unfinished != digest:
            if tail.unfinished:
                # An append that was given up may have been stored, and is in no summary yet.
                self._known.pop((key["project_key"], key["session_id"]), None)
            tail = _Tail(transcripts.new_name(tail.name), tail.loose + 1, digest)
        self._remember(key, root, tail)
        await transcripts.append(session, root, tail.name, body)
        if root == transcripts.MAIN:
            await self._summarize(key, session, tail.name, entries)
        self._remember(key, root, self._tail(key, root)._replace(unfinished=b""))
        if tail.loose >= _PACK_AT:
            self._remember(key, root, self._tail(key, root)._replace(loose=0))
            with contextlib.suppress(errors.StateBucketError):
                # The entries are stored; packing is tried again after the next 64.
                await transcripts.pack(session, root)

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """The transcript, or None: 1 list per 1,000 parts and packs, and 1 request for each."""
        session = session_in(self._store, key)
        root = transcripts.root_of(key.get("subpath"))
        parts, loose = await transcripts.read(session, root)
        if not parts:
            return None
        tail = self._tail(key, root)
        name = max(tail.name, *parts)
        self._remember(key, root, tail._replace(name=name, loose=loose))
        return transcripts.entries_of(parts.values())

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """The sessions of a project that have a transcript of their own: 1 request per 1,000."""
        return [
            {"session_id": session_id, "mtime": _milliseconds(entry)}
            for session_id, entry in await self._scan(project_key)
        ]

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """The summaries of those sessions: 1 request per 1,000, and 1 for each."""
        project = project_in(self._store, project_key)
        found = await self._scan(project_key)
        snapshots = await transcripts.each(found, lambda item: project.session(item[0]).load())
        return [
            _summary(session_id, snapshot, _milliseconds(entry))
            for (session_id, entry), snapshot in zip(found, snapshots, strict=True)
            if snapshot is not None
        ]

    async def delete(self, key: SessionKey) -> None:
        """Removes a session with its subagents' transcripts, or one of those.

        1 list and 1 batch per 1,000 parts; for a session 1 more.
        """
        session = session_in(self._store, key)
        root = transcripts.root_of(key.get("subpath"))
        if root == transcripts.MAIN:
            self._known.pop((key["project_key"], key["session_id"]), None)
            await session.delete()
        else:
            await session.delete_many([part async for part in session.iter_keys(prefix=root)])

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """The subpaths with a transcript in a session: 1 list per 1,000 of their parts."""
        session = session_in(self._store, key)
        keys = [part async for part in session.iter_keys(prefix=transcripts.SUB)]
        return list(dict.fromkeys(map(transcripts.subpath_of, keys)))

    async def compact(self, key: SessionKey) -> int:
        """Packs the parts of a transcript into objects of up to 8 MiB, so that it loads sooner.

        It may run at the same time as appends, loads and another `compact`, and may be interrupted:
        nothing is removed before it is in a pack. 1 list and 1 request for each part, and for each
        pack 1 list, 1 write and 1 batch.

        Returns:
            How many parts were packed.
        """
        session = session_in(self._store, key)
        return await transcripts.pack(session, transcripts.root_of(key.get("subpath")))

    def _tail(self, key: SessionKey, root: str) -> _Tail:
        return self._tails.get((key["project_key"], key["session_id"], root), _Tail())

    def _remember(self, key: SessionKey, root: str, tail: _Tail) -> None:
        _keep(self._tails, (key["project_key"], key["session_id"], root), tail)

    async def _summarize(
        self, key: SessionKey, session: ExecutionStore, name: str, entries: list[SessionStoreEntry]
    ) -> None:
        """Folds entries into the session's summary, conditional on the stored version."""
        place = (key["project_key"], key["session_id"])
        known = self._known.pop(place, None)
        if known is None:
            stored = await session.load_stored()
            before = None if stored is None else stored.value
            version = Version.ABSENT if stored is None else stored.version
            if before is not None:
                # Includes what a process appended that died before it updated the summary.
                after = str(before.variables.get("last", ""))
                parts, _ = await transcripts.read(session, transcripts.MAIN, after)
                parts.pop(name, None)
                entries = [*transcripts.entries_of(parts.values()), *entries]
        else:
            before, version = known

        def fold(found: ExecutionSnapshot | None) -> ExecutionSnapshot:
            return _folded(found or session.snapshot(), key, name, entries)

        try:
            snapshot = fold(before)
            version = await session.save(snapshot, if_version=version)
        except errors.VersionConflict:
            await session.update_snapshot(fold)
        else:
            _keep(self._known, place, _Known(snapshot, version))

    async def _scan(self, project_key: str) -> list[tuple[str, SnapshotEntry]]:
        project = project_in(self._store, project_key)
        return [
            (entry.id[len(project.prefix) :], entry)
            async for entry in project.view.scan_snapshots(prefix=project.prefix)
        ]


def _encoded(entries: list[SessionStoreEntry]) -> bytes:
    """The JSON of entries.

    Raises:
        InvalidArgument: They are not a list of dicts.
        InvalidValue: JSON cannot represent one of them.
    """
    given: object = entries
    if not isinstance(given, list | tuple):  # not shown: it is what was said
        raise errors.InvalidArgument(f"entries must be a list, not {type(given).__name__}")
    for one in given:
        if not isinstance(one, dict):
            raise errors.InvalidArgument(f"an entry must be a dict, not {type(one).__name__}")
    try:
        return json.dumps(given).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.InvalidValue(f"entries cannot be encoded as JSON: {error}") from error


def _keep(known: OrderedDict[K, V], key: K, value: V) -> None:
    """Remembers a value, and forgets the least recently used one."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)


def _folded(
    before: ExecutionSnapshot, key: SessionKey, name: str, entries: list[SessionStoreEntry]
) -> ExecutionSnapshot:
    previous = None
    if "summary" in before.variables:
        previous = _summary(key["session_id"], before, 0)
    folded = fold_session_summary(previous, key, entries)
    last = max(name, str(before.variables.get("last", "")))
    # As text: the SDK's summary may contain what JSON cannot represent (half an emoji).
    variables = {"summary": json.dumps(folded["data"]), "last": last}
    return before.advance(state=ExecutionState.RUNNING, variables=variables)


def _summary(session_id: str, snapshot: ExecutionSnapshot, mtime: int) -> SessionSummaryEntry:
    data = json.loads(str(snapshot.variables.get("summary", "{}")))
    return {"session_id": session_id, "mtime": mtime, "data": data}


def _milliseconds(entry: SnapshotEntry) -> int:
    return 0 if entry.modified_at is None else int(entry.modified_at.timestamp() * 1000)

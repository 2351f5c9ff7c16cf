"""Saving a checkpoint, and the writes of tasks on it.

A checkpoint is saved in two steps: the head, which is the checkpoint before it, is copied to the
key of an earlier checkpoint, and then the head is replaced, on the condition that it is still the
version that was seen. A process that dies between the two leaves the thread as it was, with a copy
that the next save writes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket import Version
from statebucket.errors import VersionConflict
from statebucket_langgraph import names
from statebucket_langgraph.conflict import CheckpointConflict
from statebucket_langgraph.memory import Head, ReadThread
from statebucket_langgraph.reading import head_of, read_head
from statebucket_langgraph.records import WritesRecord, decode_writes, encode, merge_writes
from statebucket_langgraph.requests import ask

if TYPE_CHECKING:
    from datetime import timedelta

    from statebucket_langgraph.memory import Memory
    from statebucket_langgraph.records import CheckpointRecord, Write
    from statebucket_langgraph.requests import Steps


class Put:
    """The saving of one checkpoint of a thread.

    Args:
        memory: What the saver knows about the thread.
        thread: The thread's id, as the run passes it back.
        new: The checkpoint.
        copy: Whether it is a copy of another checkpoint, and not what a run saves.
        ttl: How long it can be read.
        history: Whether earlier checkpoints are kept.
    """

    def __init__(
        self,
        memory: Memory,
        thread: str,
        new: CheckpointRecord,
        *,
        copy: bool,
        ttl: timedelta | float | None,
        history: bool,
    ) -> None:
        self._memory = memory
        self._thread = thread
        self._new = new
        self._copy = copy
        self._ttl = ttl
        self._history = history

    def steps(self) -> Steps[None]:
        """Saves it: 2 requests, 1 for a thread's first, and 1 more if the head is not known.

        Without a history also 2, the second of which lists the writes on previous checkpoints, and
        1 to delete those.

        Raises:
            CheckpointConflict: Another run has continued the thread.
        """
        memory, thread, new = self._memory, self._thread, self._new
        root = new.parent is None and not self._copy
        starts = root and memory.take_start(thread, new.namespace)
        head = memory.head(thread, new.namespace)
        if head is None or not self._may_follow(head, starts=starts):
            head = yield from read_head(thread, new.namespace)
        while True:
            if not self._may_follow(head, starts=starts):
                raise self._refused(head)
            old = head.record
            if old is not None and old.id != new.parent and new.id < old.id:
                yield from self._put_aside()
                return
            try:
                yield from self._replace(head)
            except VersionConflict as lost:
                found = head_of(lost.current)
                memory.note(thread, new.namespace, found)
                if found.record is not None and new.id in {found.record.id, found.record.parent}:
                    return  # an earlier attempt to save the same one, whose reply was lost
                if self._continues(head) and not self._continues(found):
                    raise self._refused(found) from lost
                head = found
            else:
                break
        if old is not None and old.id != new.id and not self._history:
            yield from delete_writes(thread, old)

    def _continues(self, head: Head) -> bool:
        """Whether the checkpoint continues this head."""
        found = None if head.record is None else head.record.id
        return self._new.parent == found

    def _may_follow(self, head: Head, *, starts: bool) -> bool:
        """Whether the checkpoint may be saved over this head, or beside it.

        A run's checkpoint may if the head is what the run last read or saved. A checkpoint without
        a run, and a fork's first one, may continue any checkpoint.
        """
        new, thread, memory = self._new, self._thread, self._memory
        if memory.is_refused(thread, new.namespace, new.parent):
            return False
        if self._continues(head) or (head.record is not None and head.record.id == new.id):
            return True
        run = isinstance(thread, ReadThread) and new.parent not in {None, thread.forks_from}
        return not starts and (not run or memory.is_aside(thread, new.namespace, new.parent))

    def _refused(self, head: Head | None) -> CheckpointConflict:
        new = self._new
        self._memory.refuse(self._thread, new.namespace, new.id)
        newest = None if head is None or head.record is None else head.record.id
        return CheckpointConflict(str(self._thread), new.namespace, new.parent, newest)

    def _replace(self, head: Head) -> Steps[None]:
        new, old = self._new, head.record
        if old is not None and old.id != new.id and self._history:
            key = names.checkpoint_key(old.namespace, old.id, old.run)
            yield from ask(self._thread, "set", key, encode(old), self._ttl)
        version = yield from ask(
            self._thread,
            "set",
            names.head_key(new.namespace),
            encode(new),
            self._ttl,
            if_version=head.version,
            want_current=True,
        )
        self._memory.note(self._thread, new.namespace, Head(version, new))

    def _put_aside(self) -> Steps[None]:
        """Saves a fork's or root's checkpoint that is older than the head, which stays."""
        new = self._new
        self._memory.set_aside(self._thread, new.namespace, new.id)
        if self._history:
            key = names.checkpoint_key(new.namespace, new.id, new.run)
            yield from ask(self._thread, "set", key, encode(new), self._ttl)


def delete_writes(thread: str, old: CheckpointRecord) -> Steps[None]:
    """Deletes the writes on a replaced checkpoint and on the one before it: 1 request, 2 if any.

    LangGraph saves a step's writes beside its checkpoint, and may do so after the next one: then
    the writes on a checkpoint arrive when those on it have been deleted.
    """
    keys = yield from ask(thread, "iter_keys", prefix=names.writes_prefix(old.namespace))
    doomed = [name.key for name in names.read(keys) if name.checkpoint_id in {old.id, old.parent}]
    if doomed:
        yield from ask(thread, "delete_many", doomed)


def put_writes(
    thread: str, key: str, task_id: str, new: dict[int, Write], ttl: timedelta | float | None
) -> Steps[None]:
    """Saves a task's writes: 1 request, 3 if the task has written before.

    Args:
        thread: The thread.
        key: Where the task's writes are.
        task_id: The task.
        new: The writes, by their index.
        ttl: How long they can be read.
    """
    version, writes = Version.ABSENT, new
    stored: dict[int, Write] = {}
    while writes != stored:
        record = WritesRecord(task_id, tuple(writes[index] for index in sorted(writes)))
        try:
            yield from ask(
                thread, "set", key, encode(record), ttl, if_version=version, want_current=True
            )
        except VersionConflict as lost:
            version, stored = Version.ABSENT, {}
            if lost.current is not None:
                version = lost.current.version
                before = decode_writes(lost.current.value).writes
                stored = {write.index: write for write in before}
            writes = merge_writes(stored.values(), new)
        else:
            return

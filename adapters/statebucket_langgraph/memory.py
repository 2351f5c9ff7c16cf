"""What a saver remembers of the threads that it has read or written."""

from __future__ import annotations

import threading
from collections import OrderedDict
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from statebucket import Version

if TYPE_CHECKING:
    from statebucket_langgraph.records import CheckpointRecord

K = TypeVar("K")
V = TypeVar("V")

_HEADS = 256
"""The most heads that are remembered; a forgotten one costs 1 request to look up."""

_HEAD_BYTES = 32 * 1024 * 1024
"""The most bytes of heads that are remembered, which contain their checkpoints; the newest always
is."""

_IDS = 4096
"""The most ids of checkpoints that were refused or set aside."""


class ReadThread(str):
    """A thread's id, marked for the run that read a checkpoint.

    LangGraph passes it back with each checkpoint that the run saves. It behaves like the plain id,
    and distinguishes two runs that use one saver.

    Attributes:
        forks_from: The checkpoint that was read, if the thread had already continued from it.
    """

    __slots__ = ("forks_from",)

    forks_from: str | None

    def __new__(cls, thread: str, forks_from: str | None) -> Self:
        """Marks a thread's id."""
        made = super().__new__(cls, thread)
        made.forks_from = forks_from
        return made

    def __reduce__(self) -> tuple[type[ReadThread], tuple[str, str | None]]:
        return ReadThread, (str(self), self.forks_from)


class _Outside(Enum):
    """Why a checkpoint that a run saved is not in the sequence of heads."""

    REFUSED = auto()
    ASIDE = auto()


class Head(NamedTuple):
    """A namespace's newest checkpoint as last seen: its version, and its record if it exists."""

    version: Version
    record: CheckpointRecord | None


NO_HEAD = Head(Version.ABSENT, None)


class Memory:
    """The heads that a saver has seen, and the checkpoints that are not heads.

    It saves requests, and records what a run has read, which LangGraph does not say. All of it may
    be forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may interrupt one that holds it
        self._heads: OrderedDict[tuple[str, str], Head] = OrderedDict()
        self._head_bytes = 0
        self._starts: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._outside: OrderedDict[tuple[str, str, str], _Outside] = OrderedDict()

    def head(self, thread: str, namespace: str) -> Head | None:
        """The head that was last read or written; None if it is not known."""
        with self._lock:
            return self._heads.get((thread, namespace))

    def note(self, thread: str, namespace: str, head: Head) -> None:
        """Remembers a head that was read or written."""
        with self._lock:
            place = (str(thread), namespace)
            self._drop(place)
            self._heads[place] = head
            self._head_bytes += _size(head)
            while len(self._heads) > _HEADS or self._too_large():
                self._drop(next(iter(self._heads)))

    def note_start(self, thread: str, namespace: str) -> None:
        """Remembers that a run found no thread and is about to start it."""
        with self._lock:
            place = (str(thread), namespace)
            _keep(self._starts, place, self._starts.get(place, 0) + 1, _HEADS)

    def take_start(self, thread: str, namespace: str) -> bool:
        """Whether a run that found no thread has not saved its first checkpoint yet."""
        with self._lock:
            waiting = self._starts.pop((thread, namespace), 0)
            if waiting > 1:
                _keep(self._starts, (str(thread), namespace), waiting - 1, _HEADS)
            return waiting > 0

    def forget_starts(self, thread: str, namespace: str) -> None:
        """Forgets the runs that found no thread: the next one starts beside what is there."""
        with self._lock:
            self._starts.pop((thread, namespace), None)

    def forget(self, thread: str) -> None:
        """Forgets a thread that was deleted."""
        with self._lock:
            for place in [*self._heads, *self._starts]:  # a signal handler may change them
                if place[0] == thread:
                    self._drop(place)
                    self._starts.pop(place, None)

    def refuse(self, thread: str, namespace: str, checkpoint_id: str) -> None:
        """Remembers that a checkpoint was refused; those that continue it will be refused too."""
        with self._lock:
            _keep(self._outside, (str(thread), namespace, checkpoint_id), _Outside.REFUSED, _IDS)

    def set_aside(self, thread: str, namespace: str, checkpoint_id: str) -> None:
        """Remembers that a fork's checkpoint is older than the head, which stayed."""
        with self._lock:
            _keep(self._outside, (str(thread), namespace, checkpoint_id), _Outside.ASIDE, _IDS)

    def is_refused(self, thread: str, namespace: str, checkpoint_id: str | None) -> bool:
        """Whether a checkpoint was refused."""
        return self._outside.get((thread, namespace, checkpoint_id or "")) is _Outside.REFUSED

    def is_aside(self, thread: str, namespace: str, checkpoint_id: str | None) -> bool:
        """Whether a checkpoint belongs to a fork and is older than the head."""
        return self._outside.get((thread, namespace, checkpoint_id or "")) is _Outside.ASIDE

    def _drop(self, place: tuple[str, str]) -> None:
        head = self._heads.pop(place, None)
        if head is not None:
            self._head_bytes -= _size(head)

    def _too_large(self) -> bool:
        return self._head_bytes > _HEAD_BYTES and len(self._heads) > 1


def _size(head: Head) -> int:
    """The bytes of a head's checkpoint."""
    record = head.record
    return 0 if record is None else len(record.checkpoint[1]) + len(record.metadata[1])


def _keep(known: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    known.pop(key, None)  # so that it becomes the newest
    known[key] = value
    while len(known) > most:
        known.popitem(last=False)

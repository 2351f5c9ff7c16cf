"""One saver in its own process, which takes commands from stdin, one per line."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langgraph.checkpoint.base import empty_checkpoint

from benchmarks.savers.contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.checkpoint.base import BaseCheckpointSaver

_TEXT = "x" * 1024
_LISTED = 10


class Thread:
    """A thread that a graph goes on with.

    Args:
        saver: What is measured.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self._saver = saver
        self._start: Any = {"configurable": {"thread_id": "thread", "checkpoint_ns": ""}}
        self._newest: Any = self._start
        self._length = 0

    def put(self) -> None:
        """One more checkpoint, with a KiB of state."""
        self._length += 1
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"text": _TEXT, "step": self._length}
        versions: Any = dict.fromkeys(checkpoint["channel_values"], f"{self._length:032}.0")
        checkpoint["channel_versions"] = versions
        metadata: Any = {"source": "loop", "step": self._length, "parents": {}}
        self._newest = self._saver.put(self._newest, checkpoint, metadata, versions)

    def put_writes(self) -> None:
        """What a task writes on the newest checkpoint, to two channels."""
        self._saver.put_writes(self._newest, [("text", _TEXT), ("step", 1)], uuid4().hex)

    def latest(self) -> None:
        """Loads the newest checkpoint."""
        found = self._saver.get_tuple(self._start)
        assert found is not None
        assert found.checkpoint["channel_values"]["step"] == self._length
        assert found.pending_writes is not None
        assert len(found.pending_writes) == 2

    def list(self) -> None:
        """The ten newest."""
        found = list(self._saver.list(self._start, limit=_LISTED))
        assert found[0].checkpoint["channel_values"]["step"] == self._length

    def grow(self, length: int) -> None:
        """Has so many checkpoints, on each of which a task has written."""
        while self._length < length:
            self.put()
            self.put_writes()


def _seconds(call: Callable[[], None]) -> float:
    """The processor time of a call, of all threads."""
    before = time.process_time()
    call()
    return time.process_time() - before


def main(number: str, endpoint: str, folder: str) -> None:
    """Answers each line of stdin with one of stdout."""
    with CONTENDERS[int(number)].opened(endpoint, folder) as saver:
        thread = Thread(saver)
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            answer = _seconds(lambda: getattr(thread, what)(*arguments))  # noqa: B023
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The work that measures LangGraph's savers is what it claims to be."""

from __future__ import annotations

from benchmarks.savers.worker import Thread
from statebucket.sync import open_store
from statebucket_langgraph import StatebucketSaver


def test_a_thread_grows_loads_and_is_listed() -> None:
    with open_store("memory://") as store:
        saver = StatebucketSaver(store)
        thread = Thread(saver)
        thread.grow(12)
        thread.latest()
        thread.list()
        thread.put()
        thread.put_writes()
        thread.latest()
        there = list(saver.list({"configurable": {"thread_id": "thread"}}))
    assert len(there) == 13
    assert {len(found.pending_writes or []) for found in there} == {2}

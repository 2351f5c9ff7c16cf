"""LangGraph's checkpoints in object storage: savers over any store of statebucket.

`AsyncStatebucketSaver` and `StatebucketSaver` are LangGraph checkpointers. The newest checkpoint of
a thread is found in a number of requests that does not grow with the thread, and the second of two
workers that continue one checkpoint is refused with `CheckpointConflict`::

    async with AsyncStatebucketSaver.from_conn_string("s3://bucket/agents") as saver:
        graph = builder.compile(checkpointer=saver)
"""

try:
    import langgraph.checkpoint.base  # noqa: F401  (checks that it is installed)
except ImportError as error:
    raise ImportError(
        'statebucket_langgraph needs langgraph-checkpoint: pip install "statebucket[langgraph]"'
    ) from error

from statebucket_langgraph.blocking import StatebucketSaver
from statebucket_langgraph.conflict import CheckpointConflict
from statebucket_langgraph.saver import AsyncStatebucketSaver

__all__ = ["AsyncStatebucketSaver", "CheckpointConflict", "StatebucketSaver"]

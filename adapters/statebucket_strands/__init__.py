"""Storage and sessions of Strands Agents on object storage.

For example::

    from statebucket import open_store
    from statebucket_strands import StatebucketSessionManager

    store = open_store("s3://bucket/prefix?region=eu-west-1")
    agent = Agent(session_manager=StatebucketSessionManager("order-17", store))

README.md in this folder says what each call costs and promises.
"""

try:
    import strands.storage  # noqa: F401  (checks that it is installed)
except ImportError as error:
    raise ImportError(
        'statebucket_strands needs strands-agents: pip install "statebucket[strands]"'
    ) from error

from statebucket_strands.session_manager import StatebucketSessionManager
from statebucket_strands.storage import StatebucketStorage

__all__ = ["StatebucketSessionManager", "StatebucketStorage"]

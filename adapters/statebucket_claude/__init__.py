"""A session store of the Claude Agent SDK on object storage.

For example::

    from statebucket import open_store
    from statebucket_claude import StatebucketSessionStore

    sessions = StatebucketSessionStore(open_store("s3://bucket/prefix?region=eu-west-1"))

README.md in this folder says what each call costs and promises.
"""

try:
    import claude_agent_sdk  # noqa: F401  (checks that it is installed)
except ImportError as error:
    raise ImportError(
        'statebucket_claude needs claude-agent-sdk: pip install "statebucket[claude]"'
    ) from error

from statebucket_claude.session_store import StatebucketSessionStore

__all__ = ["StatebucketSessionStore"]

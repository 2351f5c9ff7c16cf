"""A py-key-value store on object storage, for FastMCP and whatever else takes one.

For example::

    from statebucket_keyvalue import StatebucketStore

    storage = StatebucketStore("s3://bucket/prefix?region=eu-west-1&tenant=mcp")

README.md beside this file says what each call costs and what it promises.
"""

try:
    import key_value.aio  # noqa: F401  (whether it is there)
except ImportError as error:
    raise ImportError(
        'statebucket_keyvalue stands on py-key-value-aio: pip install "statebucket[keyvalue]"'
    ) from error

from statebucket_keyvalue.store import StatebucketStore

__all__ = ["StatebucketStore"]

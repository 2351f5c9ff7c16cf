"""A py-key-value store on object storage, for FastMCP and other libraries that take one.

For example::

    from statebucket_keyvalue import StatebucketStore

    storage = StatebucketStore("s3://bucket/prefix?region=eu-west-1&tenant=mcp")

README.md in this folder says what each call costs and promises.
"""

try:
    import key_value.aio  # noqa: F401  (checks that it is installed)
except ImportError as error:
    raise ImportError(
        'statebucket_keyvalue needs py-key-value-aio: pip install "statebucket[keyvalue]"'
    ) from error

from statebucket_keyvalue.store import StatebucketStore

__all__ = ["StatebucketStore"]

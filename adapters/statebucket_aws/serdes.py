"""The SerDes: results that are too large for a checkpoint, as keys of their execution."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

from aws_durable_execution_sdk_python.exceptions import RetryableSerDesError, SerDesError
from aws_durable_execution_sdk_python.serdes import EXTENDED_TYPES_SERDES, SerDes

from statebucket import errors
from statebucket.given import blocking_store, duration

if TYPE_CHECKING:
    from datetime import timedelta

    from aws_durable_execution_sdk_python.serdes import SerDesContext

    from statebucket.sync import BlockingExecutionStore, BlockingStateStore

OVER = 255 * 1024
"""The default of ``over``: a checkpoint holds 256 KiB, of which 1 KiB is left for the rest of
it."""

_POINTER = '{"statebucket":'


class _Thread(threading.local):
    """What a thread stored last: the execution, the key, and the text."""

    last: tuple[str, str, str] | None = None


class StatebucketSerDes(SerDes[Any]):
    """A SerDes of AWS Lambda durable functions that keeps large values in object storage.

    A small value stays in the checkpoint, as without this class. A larger one becomes a key of the
    execution that has the durable execution's ARN as its id, and the checkpoint has a pointer to
    it: 1 request to store it, 1 to read it in a replay. ``store.execution(arn).delete()`` removes
    everything of an execution.

    A value is stored under a hash of its content, and never overwritten: a step that is retried, or
    that dies before its checkpoint, changes nothing that an earlier checkpoint points to.

    It may be made at import time and used from several threads; the store stays the caller's.

    Args:
        store: A store of `statebucket.sync.open_store`, or a tenant's view of one.
        over: Values of more UTF-8 bytes than this are stored; with 0, all but the empty one.
        ttl: How long they can be read, a `timedelta` or seconds: longer than an execution may take.
            By default the store's ``retention``, else forever.
        serdes: Converts values to text and back; by default the SDK's own default.

    Raises:
        InvalidArgument: ``store`` is a URL or another kind of store, or ``over`` or ``ttl`` is out
            of range, or ``serdes`` is not one.
        RetryableSerDesError: A call failed with a ``transient`` error, such as
            `errors.Unavailable`, which is the cause: the invocation is retried.
        SerDesError: A call failed in another way, or its value has expired or was removed.
    """

    def __init__(
        self,
        store: BlockingStateStore,
        *,
        over: int = OVER,
        ttl: timedelta | float | None = None,
        serdes: SerDes[Any] | None = None,
    ) -> None:
        self._store = blocking_store(store, "StatebucketSerDes")
        if isinstance(over, bool) or not isinstance(over, int) or over < 0:
            raise errors.InvalidArgument(
                f"over must be a number of bytes, 0 or more: {errors.shown(over)}"
            )
        self._over = over
        self._ttl = None if ttl is None else duration(ttl, "ttl")
        if serdes is not None and not hasattr(serdes, "deserialize"):
            raise errors.InvalidArgument(
                "serdes must be a SerDes, as EXTENDED_TYPES_SERDES of the SDK is one, not "
                f"{type(serdes).__name__}"
            )
        self._serdes: SerDes[Any] = EXTENDED_TYPES_SERDES if serdes is None else serdes
        self._thread = _Thread()

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:  # noqa: ANN401
        """The text for a checkpoint: 1 request if the value is large, else none."""
        text: str = self._serdes.serialize(value, serdes_context)
        body = text.encode("utf-8", "surrogatepass")
        # A text that begins like a pointer would be taken for one.
        if len(body) <= self._over and not text.startswith(_POINTER):
            return text
        digest = hashlib.sha256(body).hexdigest()
        key = _key(serdes_context, digest)
        try:
            self._execution(serdes_context).set(key, body, self._ttl)
        except errors.StateBucketError as error:
            raise _failed("stored", serdes_context, error) from error
        self._thread.last = (serdes_context.durable_execution_arn, key, text)
        return f'{_POINTER}{{"sha256":"{digest}","bytes":{len(body)}}}}}'

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:  # noqa: ANN401
        """The value of a checkpoint's text: 1 request if it is a pointer, else none.

        None either for what this thread stored last: the SDK reads each result as soon as it has
        written it.
        """
        if data.startswith(_POINTER):
            data = self._stored(data, serdes_context)
        return self._serdes.deserialize(data, serdes_context)

    def _stored(self, pointer: str, context: SerDesContext) -> str:
        key = _key(context, _digest(pointer, context))
        last = self._thread.last
        if last is not None and last[:2] == (context.durable_execution_arn, key):
            return last[2]
        try:
            body = self._execution(context).get(key)
        except errors.StateBucketError as error:
            raise _failed("read", context, error) from error
        if body is None:
            raise SerDesError(
                f"the value of {_operation(context)} is no longer in the bucket (key {key!r}): its "
                "ttl has ended, or its execution was removed while it was running"
            )
        return body.decode("utf-8", "surrogatepass")

    def _execution(self, context: SerDesContext) -> BlockingExecutionStore:
        # So that a sweep of orphans keeps them: these executions have no snapshot.
        return self._store.execution(context.durable_execution_arn, keep=True)


def _key(context: SerDesContext, digest: str) -> str:
    """The key of a value. An operation only reads its own values, whatever a pointer says."""
    return f"durable/{context.operation_id}/{digest}"


def _digest(pointer: str, context: SerDesContext) -> str:
    try:
        return str(json.loads(pointer)["statebucket"]["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise SerDesError(
            f"the checkpoint of {_operation(context)} begins like a pointer of statebucket, but is "
            f"not valid: {errors.excerpt(pointer)}"
        ) from error


def _operation(context: SerDesContext) -> str:
    return f"operation {context.operation_id} of execution {context.durable_execution_arn}"


def _failed(
    done: str, context: SerDesContext, error: errors.StateBucketError
) -> RetryableSerDesError | SerDesError:
    kind = RetryableSerDesError if error.transient else SerDesError
    return kind(
        f"the value of {_operation(context)} could not be {done}: {type(error).__name__}: {error}"
    )

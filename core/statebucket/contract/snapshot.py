"""The snapshot of an execution: an immutable value and its JSON.

The JSON is what serde writes for the Rust struct of the same name, so that both can share a bucket.
"""

from __future__ import annotations

import math
import re
import threading
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.contract.ids import ExecutionId, StepId, TenantId, UserId
from statebucket.contract.segments import encode, encode_execution
from statebucket.contract.states import ExecutionState, Waiting
from statebucket.errors import (
    InvalidKey,
    InvalidSnapshot,
    InvalidValue,
    StateBucketError,
    excerpt,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SEQUENCE_NUMBER = 2**64 - 1
# Of msgspec's structs, dataclasses, attrs' classes and named tuples.
_DECLARES_FIELDS = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", "_fields")
_MAX_PLAIN = 2**64  # below it, an int has no rule of its own
MAX_BITS = 8192  # Python turns no int of over 4,300 digits into text, or back


def _now() -> datetime:
    return datetime.now(UTC)


class _Decoding(threading.local):
    """Whether this thread is inside `from_json`, whose values need no second look."""

    active = False


_decoding = _Decoding()


def _created() -> ExecutionState:
    _check_may_be_missing("state")
    return ExecutionState.CREATED


def _zero() -> int:
    _check_may_be_missing("sequence_number")
    return 0


def _check_may_be_missing(field: str) -> None:
    # The JSON form has these fields always: one without is damaged, or not a snapshot.
    if _decoding.active:
        raise InvalidSnapshot(f"Object missing required field `{field}`")


class ExecutionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution stands: all that another machine needs to go on with it.

    Only the two ids must be given. Validated when built, and again when saved. ``step_outputs`` and
    ``variables`` are copied, so that a later change to the caller's own dictionaries does not reach
    the snapshot; do not change them in place.

    Attributes:
        execution_id: The execution; not empty, without ``:``.
        tenant_id: Whose it is; not empty.
        user_id: On whose behalf it runs.
        state: An `ExecutionState`, or `Waiting` with its reason; ``ExecutionState.CREATED`` by
            default.
        current_step_id: The step under way.
        step_outputs: What each finished step returned, as JSON values; empty by default.
        variables: The execution's working values, as JSON values; empty by default.
        timestamp: When the snapshot was taken; any zone, kept in UTC to the microsecond; now by
            default.
        sequence_number: Where in the event log, 0 to 2**64 - 1; 0 by default. The caller checks it
            against the log after loading.

    Raises:
        InvalidSnapshot: A field breaks its rule; the message names the field and the value.
    """

    execution_id: ExecutionId
    tenant_id: TenantId
    user_id: UserId | None = None
    state: ExecutionState | Waiting = msgspec.field(default_factory=_created)
    current_step_id: StepId | None = None
    step_outputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    timestamp: datetime = msgspec.field(default_factory=_now)
    sequence_number: int = msgspec.field(default_factory=_zero)

    if TYPE_CHECKING:
        # As built, an id may be a plain string; as read, it is of its own type.
        def __init__(
            self,
            *,
            execution_id: ExecutionId | str,
            tenant_id: TenantId | str,
            user_id: UserId | str | None = None,
            state: ExecutionState | Waiting = ...,
            current_step_id: StepId | str | None = None,
            step_outputs: dict[str, Any] = ...,
            variables: dict[str, Any] = ...,
            timestamp: datetime = ...,
            sequence_number: int = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        _check_id("execution_id", self.execution_id)
        _check_id("tenant_id", self.tenant_id)
        number = self.sequence_number
        if type(number) is not int or not 0 <= number <= MAX_SEQUENCE_NUMBER:
            raise InvalidSnapshot(
                f"sequence_number must be an int from 0 to 2**64 - 1: {shown(number)}"
            )
        msgspec.structs.force_setattr(self, "timestamp", _utc(self.timestamp))
        if _decoding.active:
            return  # msgspec has checked the types, and JSON holds nothing else
        for field in ("execution_id", "tenant_id", "user_id", "current_step_id"):
            value = getattr(self, field)
            if value is not None:
                _check_text(field, value)
                # msgspec encodes no subclass of str.
                msgspec.structs.force_setattr(self, field, str.__str__(value))
        if not isinstance(self.state, ExecutionState | Waiting):
            raise InvalidSnapshot(
                f"state must be an ExecutionState or Waiting(reason): {shown(self.state)}"
            )
        for field in ("step_outputs", "variables"):
            value = getattr(self, field)
            if not isinstance(value, dict):
                raise InvalidSnapshot(f"{field} must be a dict: {shown(value)}")
            try:
                msgspec.structs.force_setattr(self, field, json_value(value, field))
            except InvalidValue as error:
                raise InvalidSnapshot(error.message) from None

    @classmethod
    def from_json(cls, data: bytes | memoryview | str) -> ExecutionSnapshot:
        """Decodes the JSON form. Unknown fields are ignored.

        Raises:
            InvalidSnapshot: ``data`` is not the JSON of a snapshot.
        """
        _decoding.active = True
        try:
            return _decoded(data)
        except (
            msgspec.DecodeError,
            UnicodeError,
            RecursionError,
            TypeError,  # what is neither bytes nor text
            StateBucketError,
        ) as error:
            raise InvalidSnapshot(f"not the JSON of a snapshot: {excerpt(error)}") from error
        finally:
            _decoding.active = False

    def to_json(self) -> bytes:
        """Encodes the snapshot as JSON, compact, in UTF-8."""
        return _encoder.encode(self)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, as `to_json` writes them.

        Returns:
            A new dictionary of what ``json.loads(snapshot.to_json())`` gives: the state and the
            timestamp are text (or, for a waiting state, a dictionary). Changes to it do not reach
            the snapshot.

        Raises:
            InvalidSnapshot: It was changed in place to what JSON cannot carry.
        """
        fields: dict[str, Any] = msgspec.to_builtins(self.checked())
        return fields

    def checked(self) -> ExecutionSnapshot:
        """The snapshot, validated again, since a dictionary inside may have been changed.

        Saving does this by itself. What is not plain JSON values, but can be made some, is so in
        the copy that is returned then.

        Raises:
            InvalidSnapshot: A field breaks its rule; the message has its path.
        """
        try:
            plain = _is_plain(self.variables) and _is_plain(self.step_outputs)
        except RecursionError:
            plain = False
        # The other fields cannot be changed.
        return self if plain else msgspec.structs.replace(self)

    def advance(self, **changes: Any) -> ExecutionSnapshot:  # noqa: ANN401  (any field's value)
        """Returns the next snapshot: a ``sequence_number`` one higher, the time now, and changes.

        Args:
            changes: Fields to set; ``sequence_number`` and ``timestamp`` too, to choose others.

        Raises:
            InvalidSnapshot: A field breaks its rule, or there is no such field.
        """
        changes = {
            "sequence_number": self.sequence_number + 1,
            "timestamp": _now(),
        } | changes
        try:
            return msgspec.structs.replace(self, **changes)
        except TypeError as error:
            raise InvalidSnapshot(str(error)) from None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExecutionSnapshot)
_FINE_STAMP = re.compile(r"(.*\.[0-9]{6})[0-9]+(.*)")  # with digits beyond microseconds


def _decoded(data: bytes | memoryview | str) -> ExecutionSnapshot:
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        # Rounded up, a moment in the last microsecond of the year 9999 would lie beyond it.
        fields = msgspec.json.decode(data)
        stamp = fields.get("timestamp") if isinstance(fields, dict) else None
        fine = _FINE_STAMP.fullmatch(stamp) if isinstance(stamp, str) else None
        if fine is None:
            raise
        return msgspec.convert(fields | {"timestamp": fine[1] + fine[2]}, ExecutionSnapshot)


def _utc(stamp: object) -> datetime:
    if not isinstance(stamp, datetime) or stamp.utcoffset() is None:
        raise InvalidSnapshot(f"timestamp must be a datetime with a time zone: {shown(stamp)}")
    try:
        return stamp if stamp.tzinfo is UTC else stamp.astimezone(UTC)
    except OverflowError:
        raise InvalidSnapshot(
            f"timestamp must lie within the years 1 to 9999 in UTC: {shown(stamp)}"
        ) from None


def _check_id(field: str, value: object) -> None:
    try:
        if field == "execution_id":
            encode_execution(value)  # type: ignore[arg-type]  # it says what is wrong
        else:
            encode(value, what=field)  # type: ignore[arg-type]
    except InvalidKey as error:
        raise InvalidSnapshot(f"{field}: {error.message}") from None


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidSnapshot(f"{field} must be a string: {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidSnapshot(
            f"{field} contains a lone surrogate, which has no UTF-8 form: {shown(value)}"
        ) from None


def _is_plain(value: Any) -> bool:  # noqa: ANN401  (any value)
    """Whether a value is certainly one that JSON carries unchanged.

    Each save asks this. It costs a fraction of `json_value`, which builds a copy and the path of
    each item, and judges whatever is unusual.
    """
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not key.isascii() or not _is_plain(inner):
                return False
        return True
    if kind is list:
        return all(map(_is_plain, value))
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return bool(-_MAX_PLAIN < value < _MAX_PLAIN)
    return value is None or kind is bool


def json_value(
    value: Any,  # noqa: ANN401  (any JSON value)
    path: str,
    typed: Callable[[Any], Any] | None = None,
) -> Any:  # noqa: ANN401
    """Returns a copy of a value that JSON carries unchanged.

    Args:
        value: None, a bool, int, finite float, string, list or tuple (which becomes a list), or a
            dict with string keys, to any depth.
        path: What to call it in the error's message.
        typed: What makes a JSON value of one that declares its fields; None to refuse such.

    Raises:
        InvalidValue: It, or something in it, is of another kind; the message has its path.
    """
    try:
        return _json_value(value, path, typed)
    except RecursionError:
        raise InvalidValue(f"{path} is nested too deeply, or contains itself") from None


def _json_value(value: Any, path: str, typed: Callable[[Any], Any] | None) -> Any:  # noqa: ANN401  (one return a kind)
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        if value.bit_length() > MAX_BITS:
            raise InvalidValue(f"{path} is an int of over {MAX_BITS} bits")
        return value
    if kind is str:
        if not value.isascii():
            _check_encodable(value, path)
        return value
    if kind is float:
        if not math.isfinite(value):
            raise InvalidValue(f"{path} must be a finite number: {shown(value)}")
        return value
    if kind is dict:
        return {_json_key(k, path): _json_value(v, f"{path}.{k}", typed) for k, v in value.items()}
    if kind is list or kind is tuple:
        return [_json_value(item, f"{path}[{at}]", typed) for at, item in enumerate(value)]
    return _json_value(_builtin(value, path, typed), path, typed)


def _builtin(value: Any, path: str, typed: Callable[[Any], Any] | None) -> Any:  # noqa: ANN401
    """The built-in value that stands for one of another type."""
    # A subclass that is its base type in all but name (numpy.float64, a TypedDict's dict).
    bases: tuple[type[Any], ...] = (str, int, float, dict, list)
    for base in bases:
        if isinstance(value, base) and not isinstance(value, Enum):
            return base(value)
    if typed is None or not any(hasattr(type(value), mark) for mark in _DECLARES_FIELDS):
        raise InvalidValue(
            f"{path} is not JSON-serializable: {type(value).__name__} {shown(value)}"
        )
    return typed(value)


def _json_key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise InvalidValue(f"{path} has a key that is not a string: {shown(key)}")
    if not key.isascii():
        _check_encodable(key, path)
    return str.__str__(key)


def _check_encodable(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(
            f"{path} contains a lone surrogate, which has no UTF-8 form: {shown(text)}"
        ) from None

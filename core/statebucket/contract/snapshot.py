"""The snapshot of an execution: an immutable value and its JSON.

The JSON is what serde writes for the Rust struct of the same name, so that both can share a bucket.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from sys import _getframe
from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.contract.ids import ExecutionId, StepId, TenantId, UserId
from statebucket.contract.json_values import is_plain, json_value
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
    from types import FrameType

MAX_SEQUENCE_NUMBER = 2**64 - 1

# Of the standard library's class, which is all that msgspec encodes: decoded, because while a test
# freezes time freezegun puts its own class into each module, and into those imported meanwhile.
_PLAIN: datetime = msgspec.msgpack.decode(b"\xd6\xff" + bytes(4))  # the timestamp 0


def _now() -> datetime:
    return datetime.now(UTC)


def _is_decoding(caller: FrameType) -> bool:
    """Whether a snapshot is being made by `from_json`, whose values need no further check.

    The decoder has no frame of its own, so the caller is then `_decoded`. A flag would also apply
    to a signal handler that makes a snapshot while another is decoded.

    Args:
        caller: The frame that called the code which makes the snapshot.
    """
    return caller.f_code is _decoded.__code__


def _created() -> ExecutionState:
    _check_may_be_missing("state", _getframe(1))
    return ExecutionState.CREATED


def _zero() -> int:
    _check_may_be_missing("sequence_number", _getframe(1))
    return 0


def _check_may_be_missing(field: str, caller: FrameType) -> None:
    # The JSON form always has these fields: JSON without them is damaged, or not a snapshot.
    if _is_decoding(caller):
        raise InvalidSnapshot(f"Object missing required field `{field}`")


class ExecutionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an execution: everything that another machine needs to continue it.

    Only the two ids must be given. Validated when built, and again when saved. ``step_outputs`` and
    ``variables`` are copied, so that a later change to the caller's own dictionaries does not reach
    the snapshot; do not change them in place. In them, a dataclass or pydantic model of plain
    values becomes a dict; one with a datetime or the like is refused, with an error that says what
    to pass instead.

    Attributes:
        execution_id: The execution; not empty. If it contains a ``:``, its keys are reached through
            ``store.execution(execution_id)`` only.
        tenant_id: The tenant that owns it; not empty.
        user_id: The user on whose behalf it runs.
        state: An `ExecutionState`, or `Waiting` with its reason; ``ExecutionState.CREATED`` by
            default.
        current_step_id: The step under way.
        step_outputs: What each finished step returned, as JSON values; empty by default.
        variables: The execution's working values, as JSON values; empty by default.
        timestamp: When the snapshot was taken; in any time zone, kept in UTC to the microsecond;
            now by default.
        sequence_number: Its position in the event log, 0 to 2**64 - 1; 0 by default. The caller
            checks it against the log after loading.

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
        # An id may be passed as a plain string; reading it gives its own type.
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
        stamp = self.timestamp
        if type(stamp) is not type(_PLAIN) or stamp.tzinfo is not UTC:
            msgspec.structs.force_setattr(self, "timestamp", _utc(stamp))
        if _is_decoding(_getframe(1)):
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
        try:
            return _decoded(data)
        except (
            msgspec.DecodeError,
            UnicodeError,
            RecursionError,
            TypeError,  # neither bytes nor text
            StateBucketError,
        ) as error:
            raise InvalidSnapshot(f"not the JSON of a snapshot: {excerpt(error)}") from error

    def to_json(self) -> bytes:
        """Encodes the snapshot as JSON, compact, in UTF-8.

        It is not validated again: if a dictionary inside may have changed, call
        ``snapshot.checked().to_json()``. Saving and `to_dict` validate it themselves.
        """
        return _encoder.encode(self)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, as `to_json` writes them.

        Returns:
            A new dictionary of what ``json.loads(snapshot.to_json())`` gives: the state and the
            timestamp are text (or, for a waiting state, a dictionary). Changes to it do not reach
            the snapshot.

        Raises:
            InvalidSnapshot: It was changed in place to what JSON cannot represent.
        """
        fields: dict[str, Any] = msgspec.to_builtins(self.checked())
        return fields

    def checked(self) -> ExecutionSnapshot:
        """The snapshot, validated again, since a dictionary inside may have been changed.

        Saving does this by itself. Where a value is not plain JSON but can be converted, the
        returned copy holds the converted value.

        Raises:
            InvalidSnapshot: A field breaks its rule; the message has its path.
        """
        try:
            plain = is_plain(self.variables) and is_plain(self.step_outputs)
        except RecursionError:
            plain = False
        # The other fields cannot be changed.
        return self if plain else msgspec.structs.replace(self)

    def advance(self, **changes: Any) -> ExecutionSnapshot:  # noqa: ANN401  (any field's value)
        """Returns the next snapshot: a ``sequence_number`` one higher, the time now, and changes.

        Args:
            changes: Fields to set; ``sequence_number`` and ``timestamp`` too, to choose others.
                ``variables`` and ``step_outputs`` are merged: what is given is added or replaces
                the value of the same name, and the rest stays. To remove entries, replace the whole
                dictionary: ``msgspec.structs.replace(snapshot.advance(), variables={…})``.

        Raises:
            InvalidSnapshot: A field breaks its rule, or there is no such field.
        """
        changes = {
            "sequence_number": self.sequence_number + 1,
            "timestamp": _now(),
        } | changes
        for field in ("step_outputs", "variables"):
            if isinstance(changes.get(field), dict):
                changes[field] = getattr(self, field) | changes[field]
        try:
            return msgspec.structs.replace(self, **changes)
        except TypeError as error:
            raise InvalidSnapshot(str(error)) from None


class _Stamped(msgspec.Struct):
    timestamp: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExecutionSnapshot)
_stamp_decoder = msgspec.json.Decoder(_Stamped)
_FINE_STAMP = r"(.*\.[0-9]{6})[0-9]+(.*)"  # with digits beyond microseconds


def _decoded(data: bytes | memoryview | str) -> ExecutionSnapshot:
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        # Rounding up a time in the last microsecond of the year 9999 would overflow.
        stamp = ""
        with suppress(msgspec.ValidationError, RecursionError):
            stamp = _stamp_decoder.decode(data).timestamp
        fine = re.fullmatch(_FINE_STAMP, stamp)
        if fine is None:
            raise
        fields = msgspec.json.decode(data) | {"timestamp": fine[1] + fine[2]}
        return msgspec.convert(fields, ExecutionSnapshot)


def _utc(stamp: object) -> datetime:
    if not isinstance(stamp, datetime) or stamp.utcoffset() is None:
        raise InvalidSnapshot(f"timestamp must be a datetime with a time zone: {shown(stamp)}")
    try:
        utc = stamp if stamp.tzinfo is UTC else stamp.astimezone(UTC)
        # A subclass of datetime, as pandas and pendulum have, keeps its type when it is converted.
        return _PLAIN.replace(
            utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond
        )
    except OverflowError:
        raise InvalidSnapshot(
            f"timestamp must lie within the years 1 to 9999 in UTC: {shown(stamp)}"
        ) from None


def _check_id(field: str, value: object) -> None:
    try:
        if field == "execution_id":
            encode_execution(value)  # type: ignore[arg-type]  # its error says what is wrong
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

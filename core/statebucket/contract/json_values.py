"""Which values JSON represents unchanged, in snapshots and under keys."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any

from statebucket.errors import InvalidValue, awaiting, shown

if TYPE_CHECKING:
    from collections.abc import Callable

# Of msgspec's structs, dataclasses, attrs' classes and named tuples.
_DECLARES_FIELDS = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", "_fields")
_MAX_PLAIN = 2**64  # ints below this need no check of their size
MAX_BITS = 8192  # Python turns no int of over 4,300 digits into text, or back


def is_plain(value: Any) -> bool:  # noqa: ANN401  (any value)
    """Whether a value is certainly one that JSON represents unchanged.

    Each save asks this. It costs a fraction of `json_value`, which builds a copy and the path of
    each item, and which decides about unusual values.

    Raises:
        RecursionError: It is nested too deeply, or contains itself.
    """
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not key.isascii() or not is_plain(inner):
                return False
        return True
    if kind is list:
        return all(map(is_plain, value))
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
    """Returns a copy of a value that JSON represents unchanged.

    Args:
        value: None, a bool, int, finite float, string, list or tuple (which becomes a list), a dict
            with string keys, or a dataclass or model of pydantic's with such fields (which becomes
            a dict), to any depth.
        path: Its name in the error's message.
        typed: Converts a value that declares its fields to a JSON value, whatever the fields'
            types, for a caller who reads it back as that type; None if it is read without a
            type.

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
    # A subclass that behaves like its base type (numpy.float64, a TypedDict's dict).
    bases: tuple[type[Any], ...] = (str, int, float, dict, list)
    for base in bases:
        if isinstance(value, base) and not isinstance(value, Enum):
            return base(value)
    kind = type(value)
    if callable(getattr(kind, "model_dump", None)):  # a model of pydantic's
        dumped = value.model_dump()
        return _fields(kind, dumped, path, 'model_dump(mode="json") of it', typed)
    if typed is not None and any(hasattr(kind, mark) for mark in _DECLARES_FIELDS):
        return typed(value)
    to_builtins = "msgspec.to_builtins of it"
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields  # noqa: PLC0415  (loaded already: there is one)

        values = {field.name: getattr(value, field.name) for field in fields(value)}
        return _fields(kind, values, path, to_builtins, typed)
    hint = awaiting(value)
    if any(hasattr(kind, mark) for mark in _DECLARES_FIELDS):
        hint = f"; for the {kind.__name__} as a whole pass {to_builtins}"
    elif not hint:
        hint = _plain_form(value)
    raise InvalidValue(f"{path} is not JSON-serializable: {kind.__name__} {shown(value)}{hint}")


def _plain_form(value: object) -> str:
    """What a caller can store instead of a value of a common type."""
    if isinstance(value, bytes | bytearray | memoryview):
        return "; pass text, as base64 or hex, or store bytes alone with set"
    if isinstance(value, set | frozenset):
        return "; pass a list"
    if isinstance(value, Enum):
        return "; pass its value"
    if callable(getattr(value, "isoformat", None)):
        return "; pass its isoformat()"
    return ""


def _fields(
    kind: type[Any],
    values: Any,  # noqa: ANN401  (a dict, or what a model without a dict holds)
    path: str,
    call: str,
    typed: Callable[[Any], Any] | None,
) -> Any:  # noqa: ANN401
    """The fields of a model or dataclass, which come back as a dict.

    Without a type to decode to, a value that JSON has no type for would come back as text, or not
    at all. So the caller must choose the form in which it is stored.
    """
    try:
        return _json_value(values, path, typed)
    except InvalidValue as error:
        hint = f"for the {kind.__name__} as a whole pass {call}, if its JSON will do"
        raise InvalidValue(f"{error.message}; {hint}") from None


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

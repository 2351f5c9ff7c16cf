"""Decoding JSON to a caller's type; whether that is possible is checked before any request."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from statebucket.errors import CorruptObject, InvalidArgument, excerpt, shown
from statebucket.port.complete_types import json_decoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket.store.envelope import Found

_JSON_VALUES: tuple[object, ...] = ({}, [], "", 0, 0.0, True, None)


def decoder(kind: Any, operation: str) -> msgspec.json.Decoder[Any]:  # noqa: ANN401  (any type)
    """A decoder of JSON to a type, for `decode_json`.

    Raises:
        InvalidArgument: Nothing can be decoded to it, or to a part of it.
    """
    try:
        return _cached(kind)
    except (TypeError, NameError) as error:  # of msgspec, or a type that cannot be hashed
        try:
            return _decoder(kind)
        except (TypeError, NameError):
            why = _not_a_type(kind) or excerpt(error)
            raise InvalidArgument(
                f"{operation}: cannot decode to the type {shown(kind)}: {why}"
            ) from None


def decode_json(wanted: msgspec.json.Decoder[Any], found: Found, operation: str) -> Any:  # noqa: ANN401
    """The value of a stored object's JSON.

    Raises:
        CorruptObject: It is not JSON, or of another type.
    """
    try:
        return wanted.decode(found.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CorruptObject(
            f"{operation}: not JSON of the requested type: {excerpt(error)}",
            object_name=found.info.name,
        ) from error


def _not_a_type(kind: object) -> str:
    """A hint at what a caller probably meant who passed a value instead of a type."""
    if isinstance(kind, int | float | timedelta):
        return "it is not a type; a TTL is passed by name, as in ttl=60"
    if isinstance(kind, str):
        return "it is not a type; pass the type itself, not its name"
    return ""


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401
    made = json_decoder(kind)
    for part in _parts(inspect.type_info(kind)):  # it builds a decoder too, of what is complete
        if isinstance(part, inspect.CustomType) and not _may_be(part.cls):
            name = part.cls.__qualname__
            if hasattr(part.cls, "model_validate"):  # a model of pydantic's
                raise TypeError(f"read it without a type, and call {name}.model_validate(value)")
            raise TypeError(
                f"{name} declares no fields; use a dataclass, a TypedDict, a NamedTuple, an attrs "
                "class or a msgspec.Struct"
            )
    return made


_cached = functools.lru_cache(maxsize=128)(_decoder)


def _may_be(kind: type) -> bool:
    """Whether some JSON value is an instance of a class that msgspec does not know."""
    try:
        return any(isinstance(value, kind) for value in _JSON_VALUES)
    except TypeError:  # a Protocol that cannot be checked
        return False


def _parts(info: inspect.Type) -> Iterator[inspect.Type]:
    """A type and all the types it is made of, each once."""
    left: list[Any] = [info]
    seen: set[int] = set()
    while left:
        part = left.pop()
        if isinstance(part, tuple):
            left += part
        elif isinstance(part, inspect.Type | inspect.Field) and id(part) not in seen:
            seen.add(id(part))
            left += [getattr(part, name) for name in part.__struct_fields__]
            if isinstance(part, inspect.Type):
                yield part

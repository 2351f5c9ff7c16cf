"""The key-value half of a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from statebucket.contract.json_values import json_value
from statebucket.contract.versions import Stored, Version
from statebucket.errors import InvalidArgument, InvalidValue, awaiting, shown
from statebucket.port.bucket import BYTES, JSON
from statebucket.store.base import ContextStore
from statebucket.store.conflicts import ShowingCurrent
from statebucket.store.decoding import decode_json, decoder
from statebucket.store.envelope import stored
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from datetime import timedelta

    from statebucket.contract.reports import DeletionReport
    from statebucket.store.envelope import Found

T = TypeVar("T")

_GETS_AT_ONCE = 32


class KeyValues(ContextStore):
    """The calls on keys."""

    async def set(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        with ShowingCurrent(self._objects):
            return await self._set(
                "set", key, value_bytes(value), BYTES, ttl, if_version, want_current=want_current
            )

    async def set_json(
        self,
        key: str,
        value: Any,  # noqa: ANN401  (any JSON value)
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        def read(found: Found) -> Stored[Any]:
            return stored(found, decode_json(decoder(Any, "set_json"), found, "set_json"))

        with ShowingCurrent(self._objects, read):
            return await self._set(
                "set_json", key, value_json(value), JSON, ttl, if_version, want_current=want_current
            )

    async def _set(
        self,
        operation: str,
        key: str,
        body: bytes,
        content_type: str,
        ttl: timedelta | float | None,
        condition: Version | None,
        *,
        want_current: bool,
    ) -> Version:
        check_condition(condition)
        if want_current is not False:
            check_wanted(operation, condition, want_current=want_current)
        return await self._objects.put(
            self.context.call(operation),
            self._key(operation, key),
            body,
            content_type=content_type,
            expiry=self.context.expiry(ttl),
            condition=condition,
            look_with_get=want_current,
            kept=self.context.keep,
        )

    async def get(self, key: str) -> bytes | None:
        found = await self._objects.get(self.context.call("get"), self._key("get", key))
        return None if found is None else bytes(found.body)

    async def get_stored(self, key: str) -> Stored[bytes] | None:
        found = await self._objects.get(
            self.context.call("get_stored"), self._key("get_stored", key)
        )
        return None if found is None else stored(found, bytes(found.body))

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        found = await self._get_many("get_many", keys)
        return {key: None if one is None else bytes(one.body) for key, one in found.items()}

    async def get_many_stored(self, keys: Iterable[str]) -> dict[str, Stored[bytes] | None]:
        found = await self._get_many("get_many_stored", keys)
        return {
            key: None if one is None else stored(one, bytes(one.body)) for key, one in found.items()
        }

    async def _get_many(self, operation: str, keys: Iterable[str]) -> dict[str, Found | None]:
        names = self._names_of(operation, keys)
        # More of them would wait for a place in flight while their deadlines run.
        at_once = min(_GETS_AT_ONCE, self._objects.max_in_flight)
        read = await in_order(
            lambda name: self._objects.get(self.context.call(operation), name),
            list(names.values()),
            at_once=at_once,
        )
        return dict(zip(names, read, strict=True))

    def _names_of(self, operation: str, keys: Iterable[str]) -> dict[str, str]:
        """Each key once, with its object's name.

        Raises:
            InvalidArgument: They are not a list of keys, but a single key or something else.
            InvalidKey: One of them cannot name an object.
        """
        if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
            raise InvalidArgument(
                f"{operation} takes a list of keys, as in {operation}([key]); "
                f"{operation.partition('_')[0]}(key) takes one: {shown(keys)}"
            )
        return {key: self._key(operation, key) for key in keys}

    @overload
    async def get_json(self, key: str) -> Any: ...  # noqa: ANN401

    @overload
    async def get_json(self, key: str, type: type[T]) -> T | None: ...

    async def get_json(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        found = await self._get_json("get_json", key, type)
        return None if found is None else found.value

    @overload
    async def get_json_stored(self, key: str) -> Stored[Any] | None: ...

    @overload
    async def get_json_stored(self, key: str, type: type[T]) -> Stored[T] | None: ...

    async def get_json_stored(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        return await self._get_json("get_json_stored", key, type)

    async def _get_json(self, operation: str, key: str, kind: object) -> Stored[Any] | None:
        name = self._key(operation, key)
        wanted = decoder(kind, operation)
        found = await self._objects.get(self.context.call(operation), name)
        return None if found is None else stored(found, decode_json(wanted, found, operation))

    async def delete(
        self, key: str, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        check_deletion("delete", if_version)
        if want_current is not False:
            check_wanted("delete", if_version, want_current=want_current)
        name = self._key("delete", key)
        call = self.context.call("delete")
        with ShowingCurrent(self._objects):
            return await self._objects.delete(call, name, if_version, look_with_get=want_current)

    async def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        from statebucket.store.removal import Remover  # noqa: PLC0415  (off the cold-start path)

        names = self._names_of("delete_many", keys)
        return await Remover(self.context, "delete_many").keys(
            {name: key for key, name in names.items()}
        )

    async def exists(self, key: str) -> bool:
        name = self._key("exists", key)
        return await self._objects.head(self.context.call("exists"), name) is not None

    def _key(self, operation: str, key: str) -> str:
        self.context.check_scope(operation)
        return self._layout.key(self._tenant, key)


def check_condition(condition: object) -> None:
    """Checks that a condition is a version or None.

    Raises:
        InvalidArgument: It is neither a version nor None.
    """
    if condition is not None and not isinstance(condition, Version):
        hint = awaiting(condition)
        if hasattr(condition, "version"):
            hint = "; write if_version=stored.version"
        raise InvalidArgument(f"if_version must be a Version or None: {shown(condition)}{hint}")


def check_wanted(operation: str, condition: Version | None, *, want_current: object) -> None:
    """Checks that there is a condition that may fail, for a caller who asked what won.

    Raises:
        InvalidArgument: There is none, or ``want_current`` is not True or False.
    """
    from statebucket.contract.flags import check_flags  # noqa: PLC0415  (off the cold-start path)

    check_flags(want_current=want_current)
    if condition is None:
        raise InvalidArgument(
            f"{operation}: want_current is about a condition that fails: pass if_version as well, "
            "or leave it out"
        )


def check_deletion(operation: str, condition: object) -> None:
    """As `check_condition`, for a deletion.

    Raises:
        InvalidArgument: It is neither None nor a version that an object can be at.
    """
    check_condition(condition)
    if condition == Version.ABSENT:
        raise InvalidArgument(
            f"{operation}: with Version.ABSENT there would be nothing to delete; leave out "
            "if_version, or pass the version that a load or save returned"
        )


def value_bytes(value: object) -> bytes:
    """A value as bytes.

    Raises:
        InvalidValue: It is not bytes.
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        hint = awaiting(value) or "; set_json stores other values"
        if isinstance(value, str):
            hint = "; write value.encode() for its bytes, or set_json for it as JSON"
        raise InvalidValue(
            f"a value must be bytes, bytearray or memoryview, not {type(value).__name__}{hint}"
        )
    return bytes(value)


def value_json(value: Any) -> bytes:  # noqa: ANN401  (any JSON value)
    """The JSON of a value.

    Raises:
        InvalidValue: JSON cannot represent it unchanged.
    """
    try:
        return msgspec.json.encode(json_value(value, "value", _typed))
    except (TypeError, RecursionError) as error:
        raise InvalidValue(f"the value cannot be encoded as JSON: {error}") from error


def _typed(value: Any) -> Any:  # noqa: ANN401  (with fields whose types `get_json` receives)
    # What msgspec would turn into base64 text is left as it is, and then refused.
    return msgspec.to_builtins(
        value,
        builtin_types=(bytes, bytearray, memoryview),
        enc_hook=lambda inner: json_value(inner, f"value ({type(value).__name__})", _typed),
    )

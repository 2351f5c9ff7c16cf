"""Values that an argument cannot be, and what a call must do when it gets one.

Every argument of every public call is tried with each value of `VALUES` that its annotation does
not allow. An annotation that is missing here fails the test, so a new call cannot be left out.
"""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from statebucket import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

LONG = "x" * 100_000
TOO_LONG = "the object name would be"
MOST = 700
"""The most characters of a message, whatever the value."""


class Opaque:
    """Of no type that any call takes."""


VALUES: dict[str, Any] = {
    "none": None,
    "empty": "",
    "digits": "5",
    "false": "false",
    "surrogate": "a\ud800",
    "long": LONG,
    "bytes": b"5",
    "int": 5,
    "zero": 0,
    "minus": -1,
    "huge": 10**400,
    "float": 5.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "true": True,
    "list": [],
    "dict": {},
    "object": Opaque(),
    "naive": datetime(2026, 1, 2),  # noqa: DTZ001  (without a time zone on purpose)
    "span": timedelta(seconds=5),
    "backwards": timedelta(seconds=-5),
    "function": print,
}
"""By the names that messages of the tests have for them."""

TEXT = frozenset({"digits", "false"})
DURATION = frozenset({"int", "float", "span"})
NONE = frozenset({"none"})
ALLOWED: dict[str, frozenset[str]] = {
    "Any": frozenset(VALUES)
    - {"surrogate", "bytes", "huge", "nan", "inf", "object", "naive"}
    - {"span", "backwards", "function"},
    "ExecutionId | str": TEXT,
    "ExecutionId | str | None": TEXT | NONE,
    "ExecutionSnapshot": frozenset(),
    "Iterable[str]": frozenset({"list", "dict"}),
    "Iterable[str] | None": frozenset({"list", "dict", "none"}),
    "Lease | None": NONE,
    "Partition | None": NONE,
    "StateStore": frozenset(),
    "TenantId | str": TEXT,
    "TenantId | str | None": TEXT | NONE,
    "Version | None": NONE,
    "bool": frozenset({"true"}),
    "bool | None": frozenset({"true", "none"}),
    "bytes | bytearray | memoryview": frozenset({"bytes"}),
    "int": frozenset({"int", "zero", "huge"}),
    "int | None": frozenset({"int", "zero", "huge", "none"}),
    "str": TEXT,
    "str | None": TEXT | NONE,
    "timedelta | float": DURATION,
    "timedelta | float | None": DURATION | NONE,
}
"""What each annotation allows; a function is allowed where it says ``Callable``."""


ALIASES = {
    "data": ("value", "json"),
    "fields": ("partition",),
    "project_key": ("tenant id",),
    "query": ("prefix",),
    "subpath": ("prefix", "key"),
}
"""What a message may call an argument instead of its name."""


class Argument(NamedTuple):
    """An argument of a call.

    Attributes:
        call: The call's name.
        name: The argument's.
        allows: The names of the values that it may be.
    """

    call: str
    name: str
    allows: frozenset[str]

    def wrong(self) -> Iterator[tuple[str, Any]]:
        """The values that it cannot be, by their names."""
        return ((name, value) for name, value in VALUES.items() if name not in self.allows)


def arguments(
    call: str, function: Callable[..., Any], also: dict[tuple[str, str], frozenset[str]]
) -> list[Argument]:
    """The arguments of a call, in order.

    Args:
        call: Its name.
        function: The call.
        also: By call and argument, what it allows where the annotation does not say it.
    """
    found = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.name != "self" and one.kind not in {one.VAR_KEYWORD, one.VAR_POSITIONAL}
    ]
    return [Argument(call, one.name, _allowed(call, one, also)) for one in found]


def _allowed(
    call: str, one: inspect.Parameter, also: dict[tuple[str, str], frozenset[str]]
) -> frozenset[str]:
    named = also.get((call, one.name))
    if named is None:
        named = also.get(("*", one.name))
    if named is not None:
        return named
    text = str(one.annotation)
    if "Callable[" in text:
        return frozenset({"function", *(NONE if text.endswith("| None") else ())})
    assert text in ALLOWED, f"{call}: what does {one.name}: {text} allow? Say so in {__name__}"
    return ALLOWED[text]


async def faults(
    argument: Argument,
    act: Callable[[Any], Awaitable[object]],
    requests: Callable[[], int],
    *,
    also: tuple[type[Exception], ...] = (),
    shows: bool = True,
) -> list[str]:
    """What is wrong with how a call refuses the values that an argument cannot be.

    Args:
        argument: The argument.
        act: Makes the call with a value of it.
        requests: How many requests were sent so far.
        also: Errors of a framework that refuse a value, as ours do.
        shows: Whether the message must show the value, or name its type.
    """
    found: list[str] = []
    refusing: tuple[type[Exception], ...] = (errors.InvalidInput, errors.TenantMismatch, *also)
    for name, value in argument.wrong():
        before = requests()
        where = f"{argument.call}({argument.name}={name})"
        try:
            await act(value)
        except refusing as error:
            fault = _fault_of(argument, error, value, shows=shows)
            if fault:
                found.append(f"{where}: {fault}: {str(error)[:300]}")
        except Exception as error:  # noqa: BLE001  (what the test is about)
            found.append(f"{where}: {type(error).__name__}: {str(error)[:200]}")
        else:
            found.append(f"{where}: accepted")
        if requests() != before:
            found.append(f"{where}: sent {requests() - before} requests")
    return found


def _fault_of(argument: Argument, error: Exception, value: object, *, shows: bool) -> str:
    text = str(error)
    if len(text) > MOST:
        return f"a message of {len(text)} characters"
    if TOO_LONG in text:
        return ""  # it shows how the name begins, and says what the limit is
    names = (*argument.name.lower().split("_"), *ALIASES.get(argument.name, ()))
    if not any(part in text.lower() for part in names):
        return "does not name the argument"
    seen = errors.shown(value).strip("…'\"")[:60] in text or type(value).__name__ in text
    if shows and not seen and value not in ("", None):  # of which "must not be empty" says enough
        return "does not show the value"
    return ""

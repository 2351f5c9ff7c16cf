"""What kind of call each public method is, declared once where the contract defines it.

Telemetry, the blocking store and the generator of its stub read the declaration through `declared`;
none of them looks at a method's name.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_DECLARATION = "__statebucket_call__"


class Kind(Enum):
    """How a method gives its result."""

    CALL = "call"
    """A coroutine: it sends requests, and the blocking form waits for it."""
    ITERATOR = "iterator"
    """An asynchronous iterator; the blocking form is an iterator."""
    CONTEXT = "context"
    """An asynchronous context manager; the blocking form is used with ``with``."""
    VIEW = "view"
    """Returns an object of the contract at once, whose calls have a blocking form too."""
    PLAIN = "plain"
    """Returns a value at once, without a request."""
    SCHEDULED = "scheduled"
    """Returns at once, and leaves work for the running event loop."""


class Declaration(msgspec.Struct, frozen=True):
    """The declaration of a method.

    Attributes:
        kind: How it gives its result.
        counted: Whether it is counted and traced as a call of the store.
        tenant: The argument that is the tenant's id, if there is one.
        tenant_of: The argument whose ``tenant_id`` is the tenant's id, if there is one.
        concurrent: Whether it sends many requests at the same time, so that the blocking store runs
            it in an event loop; or the name of the argument that makes it do so when true.
    """

    kind: Kind
    counted: bool
    tenant: str | None
    tenant_of: str | None
    concurrent: bool | str


def declare(
    kind: Kind,
    *,
    counted: bool | None = None,
    tenant: str | None = None,
    tenant_of: str = "",
    concurrent: bool | str = False,
) -> Callable[[F], F]:
    """Declares a method of the contract; see `Declaration`.

    Args:
        kind: How it gives its result.
        counted: By default, whether it may send requests.
        tenant: The argument that is the tenant's id.
        tenant_of: The argument whose ``tenant_id`` is the tenant's id.
        concurrent: Whether it sends many requests at the same time.
    """
    if counted is None:
        counted = kind in {Kind.CALL, Kind.ITERATOR, Kind.CONTEXT}
    declaration = Declaration(kind, counted, tenant, tenant_of or None, concurrent)

    def mark(method: F) -> F:
        setattr(method, _DECLARATION, declaration)
        return method

    return mark


def declared(contract: type[Any]) -> dict[str, Declaration]:
    """The public methods of a class of the contract, each with its declaration.

    Raises:
        LookupError: A method has no declaration.
    """
    found: dict[str, Declaration] = {}
    for name in dir(contract):
        method = getattr(contract, name)
        if name.startswith("_") or isinstance(method, property) or not callable(method):
            continue
        try:
            found[name] = getattr(method, _DECLARATION)
        except AttributeError:
            raise LookupError(f"{contract.__name__}.{name} has no declaration") from None
    return found

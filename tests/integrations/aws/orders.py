"""Handlers of orders, each of which must be charged once, on Powertools' idempotency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent

from statebucket_aws import StatebucketPersistenceLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.sync import BlockingStateStore

    Handler = Callable[[dict[str, Any], "Context | Replayed"], Any]

ORDER: dict[str, Any] = {"order": "7", "amount": 30}


class Context:
    """Lambda's context, of an invocation that has so many milliseconds left."""

    def __init__(self, milliseconds: int = 30_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class Replayed:
    """What Powertools looks for in the context of a durable function that is replayed."""

    operations = ("execution", "wait")

    def __init__(self, lambda_context: Context) -> None:
        self.lambda_context = lambda_context
        self.state = self


class Died(BaseException):
    """What Powertools sees of a process that is killed: neither a result nor an exception."""


def handler(
    store: BlockingStateStore, work: Callable[[dict[str, Any]], Any], **options: Any
) -> Handler:
    """A handler that does its work once for each order.

    Args:
        store: Where the records go.
        work: Takes the event, and returns the answer.
        **options: Those of `IdempotencyConfig`.
    """
    config = IdempotencyConfig(**({"event_key_jmespath": "order"} | options))
    layer = StatebucketPersistenceLayer(store)

    @idempotent(persistence_store=layer, config=config)
    def handle(event: dict[str, Any], _context: Any) -> Any:
        return work(event)

    return handle


class Charges:
    """Work that counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        self.done += 1
        return {"charged": event["amount"], "receipt": self.done}

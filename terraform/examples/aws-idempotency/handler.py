"""Charges each order once, on AWS Lambda, however often its event is delivered.

Powertools' idempotency, with its records in the bucket in place of a DynamoDB table.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent

from statebucket.sync import open_store
from statebucket_aws import StatebucketPersistenceLayer

WEEK = 7 * 24 * 3600

# STATEBUCKET_URL; here, so that warm invocations keep its connections.
layer = StatebucketPersistenceLayer(open_store())
config = IdempotencyConfig(
    event_key_jmespath="[tenant_id, order_id]",
    payload_validation_jmespath="amount",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=WEEK,
)


@idempotent(persistence_store=layer, config=config)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Charges an order; for a repeated event it returns the first receipt.

    Args:
        event: Has ``tenant_id``, ``order_id`` and ``amount``.
        _context: Lambda's context object, which tells Powertools how much time is left.
    """
    return {"charged": event["amount"], "receipt": uuid4().hex}

"""Rights that a store does not need, as far as reading shows them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from statebucket.errors import AccessDenied, StateBucketError
from statebucket.port.findings import Finding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from statebucket.port.remedies import Remedies
    from statebucket.store.context import StoreContext

_READS = "it can read objects outside the store's prefixes"


async def excess(context: StoreContext, remedies: Remedies, mark: str) -> AsyncIterator[Finding]:
    """Tries to list and to read outside the store's prefixes: 2 requests.

    Args:
        context: The store's.
        remedies: The adapter's.
        mark: A name outside the prefixes that does not exist.
    """
    bucket, layout, seconds = context.objects.bucket, context.layout, context.deadline
    tenant = context.tenant is not None
    rights = remedies.tenant_rights if tenant else remedies.rights
    answers: dict[str, bool | None] = {}
    if tenant:
        lists = f"it can list other tenants, below {layout.tenants}"
        answers[lists] = await _may(bucket.list(layout.tenants, after=None, limit=1), seconds)
    elif layout.root:
        lists = f"it can list the bucket outside {layout.root}"
        answers[lists] = await _may(bucket.list("", after=None, limit=1), seconds)
    answers[_READS] = await _may(bucket.get(mark), seconds)
    for message, answer in answers.items():
        listed = answer and message != _READS
        if listed and tenant:  # a tenant must never see another tenant's names
            narrow = remedies.tenant_listing or rights
            yield Finding(check="rights", status="warning", message=message, remedy=narrow)
        elif listed and remedies.listing is not None:
            message += ": the names of objects, not their content"  # noqa: PLW2901
            yield Finding(check="rights", status="note", message=message, remedy=remedies.listing)
        elif answer:
            yield Finding(check="rights", status="warning", message=message, remedy=rights)
        elif answer is None:
            yield Finding(
                check="rights", status="unknown", message=f"no answer on whether {message}"
            )
    if answers[_READS] is False and remedies.unseen_reads is not None:
        yield Finding(
            check="rights",
            status="unknown",
            message=f"whether {_READS}: the service always denies reading a missing name, and no "
            "other was tried",
            remedy=remedies.unseen_reads,
        )
    elif all(answer is False for answer in answers.values()):
        yield Finding(check="rights", status="ok", message="no access outside the store's prefixes")


async def _may(request: Awaitable[object], seconds: float) -> bool | None:
    """Whether the service allows it; None if it did not say."""
    try:
        async with asyncio.timeout(seconds):
            await request
    except AccessDenied:
        return False
    except (StateBucketError, TimeoutError):
        return None
    return True

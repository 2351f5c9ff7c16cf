"""An adapter's calls for lifecycle rules, sent with the store's retry policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.port.lifecycle import LifecyclePort

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.contract.lifecycle import Rule
    from statebucket.port.lifecycle import Lifecycle, UnreadableRules
    from statebucket.store.context import StoreContext
    from statebucket.store.objects import Objects
    from statebucket.store.retry import Call


def lifecycle_port(context: StoreContext, operation: str) -> RetryingPort | None:
    """The rules of a store's bucket, for one call that begins now; None on a service without.

    Args:
        context: The store's.
        operation: The public call.
    """
    bucket = context.objects.bucket
    if not isinstance(bucket, LifecyclePort):
        return None
    return RetryingPort(bucket, context.objects, context.call(operation))


class RetryingPort:
    """A `LifecyclePort` whose requests are retried on transient errors.

    Args:
        port: The adapter.
        objects: Sends the requests.
        call: The call that they belong to.
    """

    def __init__(self, port: LifecyclePort, objects: Objects, call: Call) -> None:
        self._port = port
        self._objects = objects
        self._call = call
        self.removal = port.removal
        self.rule_root = port.rule_root

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """See `statebucket.port.lifecycle.LifecyclePort`."""
        return await self._objects.send(self._call, self._port.read_lifecycle)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """See `statebucket.port.lifecycle.LifecyclePort`."""
        await self._objects.send(
            self._call,
            lambda: self._port.write_lifecycle(rules, found),
            writes=True,
            conditional=True,  # where the service can tell that someone else has changed them
        )

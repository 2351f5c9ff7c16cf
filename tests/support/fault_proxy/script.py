"""Which fault comes next."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.fault_proxy.kinds import Fault, Pass

if TYPE_CHECKING:
    from support.fault_proxy.record import Recorded


@dataclass(slots=True)
class _Standing:
    """A fault for every matching request, or for a number of them."""

    fault: Fault
    left: int | None


class Script:
    """The faults to come. Tests write it and the proxy's thread reads it."""

    def __init__(self) -> None:
        """Make an empty script."""
        self._lock = threading.Lock()
        self._planned: list[Fault] = []
        self._standing: list[_Standing] = []

    def plan(self, *faults: Fault) -> None:
        """Append faults that are good for one request each."""
        with self._lock:
            self._planned += faults

    def always(self, fault: Fault, times: int | None) -> None:
        """Append a fault that is good for several requests, or for all."""
        with self._lock:
            self._standing.append(_Standing(fault, times))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._planned.clear()
            self._standing.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The planned faults that no request has met yet."""
        with self._lock:
            return tuple(self._planned)

    def take(self, request: Recorded) -> Fault:
        """Choose the fault for a request: the first planned one that matches, or standing one."""
        with self._lock:
            for index, fault in enumerate(self._planned):
                if fault.matches(request):
                    return self._planned.pop(index)
            for rule in self._standing:
                if rule.left != 0 and rule.fault.matches(request):
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.fault
        return Pass()

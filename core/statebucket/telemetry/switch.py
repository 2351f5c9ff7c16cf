"""Whether calls are traced and measured through OpenTelemetry.

They are once the program has imported ``opentelemetry.trace`` or ``opentelemetry.metrics``, as a
program that sets up a provider does. statebucket never imports them first, so a program that does
not use OpenTelemetry, installed or not, pays almost nothing: no import, no time at cold start, and
one look into ``sys.modules`` for each call. `use` selects providers other than the global ones,
`off` turns telemetry off.

There is one span for each call of a store, named after the method, of kind CLIENT, with
``db.system.name``, ``db.operation.name``, ``error.type`` (the name of the class in
`statebucket.errors`) and, under ``statebucket.``, ``tenant.id``, ``requests``, ``retries``,
``bytes_sent`` and ``bytes_received``, which count as `statebucket.contract.stats.Stats` does, and
``object.name_hash``: the first 16 hex digits of the SHA-256 of the name, in UTF-8 and with the
store's prefix, of the first object that the call asked for (for an execution that may be its owner
record). Messages of errors hold names of objects and are not recorded.

The metrics are ``db.client.operation.duration`` and ``statebucket.client.retries``, ``.throttles``,
``.conflicts`` and ``.expired_reads``; they carry no tenant, which would make a time series of each.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument, shown

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from statebucket.telemetry.spans import Instruments


_decided: dict[str, Instruments | None] = {}  # under "on": what observes calls, or None


def active() -> Instruments | None:
    """What observes calls; None while telemetry is off."""
    if _decided:
        return _decided.get("on")
    if "opentelemetry.trace" not in sys.modules and "opentelemetry.metrics" not in sys.modules:
        return None
    made = None
    try:
        made = _instruments()
    except Exception:
        # No call may fail because a version of OpenTelemetry, which no one asked for, lacks
        # something.
        import logging  # noqa: PLC0415  (off the cold-start path: 15 ms)

        log = logging.getLogger(__name__)
        log.warning("OpenTelemetry is loaded but cannot be used: no spans", exc_info=True)
    return _decided.setdefault("on", made)  # another thread's, or a program's choice, if quicker


def use(
    *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> None:
    """Turns telemetry on for every store of this process.

    Args:
        tracer_provider: What makes spans; the global provider by default.
        meter_provider: What keeps metrics; the global provider by default.

    Raises:
        InvalidArgument: One of them is not a provider.
    """
    for name, kind, given in (
        ("tracer_provider", "tracer", tracer_provider),
        ("meter_provider", "meter", meter_provider),
    ):
        if given is not None and not hasattr(given, f"get_{kind}"):
            raise InvalidArgument(
                f"{name} must be OpenTelemetry's, with get_{kind}: {shown(given)}"
            )
    _decided["on"] = _instruments(tracer_provider, meter_provider)


def off() -> None:
    """Turns telemetry off for every store of this process."""
    _decided["on"] = None


def auto() -> None:
    """Goes back to the default: on once the program uses OpenTelemetry."""
    _decided.clear()


def _instruments(
    tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> Instruments:
    from statebucket.telemetry.spans import Instruments  # noqa: PLC0415  (it imports OpenTelemetry)

    return Instruments(tracer_provider, meter_provider)

"""Spans and metrics of a store's calls, through the OpenTelemetry API."""

from __future__ import annotations

import functools
import hashlib
import time
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from statebucket import errors
from statebucket.telemetry.counters import Kind, under_way

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from statebucket.telemetry.counters import Observer

SCOPE = "statebucket"
_HASH_DIGITS = 16
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COUNTED: dict[Kind, tuple[str, str]] = {
    "retries": ("{retry}", "Requests that repeated a failed one."),
    "throttles": ("{request}", "Requests that the service refused because of their rate."),
    "conflicts": ("{call}", "Calls that lost a race."),
    "expired_reads": ("{object}", "Objects that were read and had expired."),
}


class Instruments:
    """The tracer and the meters.

    Args:
        tracer_provider: What makes spans; None for the global provider.
        meter_provider: What keeps metrics; None for the global provider.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None
    ) -> None:
        self.tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self.duration = _seconds(meter)
        self.counters: dict[Kind, Counter] = {
            kind: meter.create_counter(f"statebucket.client.{kind}", unit=unit, description=text)
            for kind, (unit, text) in _COUNTED.items()
        }

    def observe(self, operation: str, service: str, tenant: str | None) -> Observation:
        """Starts the observation of one call."""
        return Observation(self, operation, service, tenant)


def _seconds(meter: Meter) -> Histogram:
    """The histogram of call durations; older versions of the API take no boundaries."""
    create = functools.partial(
        meter.create_histogram,
        "db.client.operation.duration",
        unit="s",
        description="How long a call of the store took.",
    )
    try:
        return create(explicit_bucket_boundaries_advisory=_SECONDS)
    except TypeError:
        return create()


def _public(error: type[BaseException]) -> type[BaseException]:
    """The name of an error's class; for our errors, that of the public class in `errors`."""
    return next((one for one in error.__mro__ if vars(errors).get(one.__name__) is one), error)


class Observation:
    """One call: a span, and what the metrics need. Enter it around the call.

    For an iterator it is entered once for each item, and ended by `end`.
    """

    def __init__(
        self, instruments: Instruments, operation: str, service: str, tenant: str | None
    ) -> None:
        self._instruments = instruments
        self._attributes: dict[str, Any] = {
            "db.system.name": service,
            "db.operation.name": operation,
        }
        self._counts: dict[Kind, int] = {}
        self._name: str | None = None
        self._seconds = 0.0
        self._error: BaseException | None = None
        self._span: Span = instruments.tracer.start_span(
            operation, kind=SpanKind.CLIENT, attributes=self._attributes
        )
        if tenant is not None:
            self.tenant(tenant)

    def tenant(self, tenant_id: str) -> None:
        """Sets the tenant that the call is for."""
        self._span.set_attribute("statebucket.tenant.id", tenant_id)

    def add(self, kind: Kind, amount: int, name: str | None) -> None:
        """See `statebucket.telemetry.counters.Observer`."""
        self._counts[kind] = self._counts.get(kind, 0) + amount
        if self._name is None:
            self._name = name

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._token: Token[Observer | None] = under_way.set(self)
        self._current = trace.use_span(
            self._span, record_exception=False, set_status_on_exception=False
        )
        self._current.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._current.__exit__(kind, error, traceback)
        under_way.reset(self._token)
        self._seconds += time.perf_counter() - self._started
        self._error = error

    def end(self) -> None:
        """Ends the span, and records the metrics."""
        attributes = dict(self._attributes)
        if self._error is not None:
            attributes["error.type"] = _public(type(self._error)).__qualname__
        if self._span.is_recording():
            self._annotate(attributes.get("error.type"))
        self._span.end()
        self._instruments.duration.record(self._seconds, attributes)
        for kind, counter in self._instruments.counters.items():
            if amount := self._counts.get(kind):
                counter.add(amount, self._attributes)

    def _annotate(self, error: str | None) -> None:
        span, counts = self._span, self._counts
        span.set_attributes(
            {
                "statebucket.requests": counts.get("requests", 0),
                "statebucket.retries": counts.get("retries", 0),
                "statebucket.bytes_sent": counts.get("bytes_sent", 0),
                "statebucket.bytes_received": counts.get("bytes_received", 0),
            }
        )
        if self._name is not None:
            digest = hashlib.sha256(self._name.encode()).hexdigest()[:_HASH_DIGITS]
            span.set_attribute("statebucket.object.name_hash", digest)
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, error))

"""A store whose bucket fails on request, and in-memory exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from statebucket import errors, open_store, telemetry
from statebucket.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from statebucket.store.store import ObjectStateStore


class Flaky:
    """A bucket whose next requests fail, each with an error of the list."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket
        self.failures: list[errors.StateBucketError] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._bucket, name)
        if name not in {"put", "get", "head", "delete", "list"}:
            return found

        async def send(*args: Any, **kwargs: Any) -> Any:
            if self.failures:
                raise self.failures.pop(0)
            return await found(*args, **kwargs)

        return send


class Told(NamedTuple):
    """What the exporters were told."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    tracer: Any

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def points(self, metric: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> ObjectStateStore:
    store = open_store("memory://", clock=clock)
    store.context.objects.bucket = Flaky(store.context.objects.bucket)
    return store


@pytest.fixture
def flaky(store: ObjectStateStore) -> Any:
    return store.context.objects.bucket


@pytest.fixture
def told() -> Iterator[Told]:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.use(tracer_provider=tracers, meter_provider=MeterProvider([reader]))
    yield Told(exporter, reader, tracers.get_tracer("test"))
    telemetry.auto()

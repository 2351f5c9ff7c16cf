"""When telemetry is on, tested in separate processes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_program_without_opentelemetry_does_not_get_it_imported() -> None:
    said = run(
        """
        import asyncio, sys
        from statebucket import open_store
        asyncio.run(open_store("memory://").set("k", b"v"))
        print([name for name in sys.modules if name.startswith("opentelemetry")])
        """
    )
    assert said == "[]"


def test_a_missing_opentelemetry_is_no_error() -> None:
    said = run(
        """
        import asyncio, sys
        sys.modules["opentelemetry"] = None  # as if it were not installed
        from statebucket import open_store
        store = open_store("memory://")
        asyncio.run(store.set("k", b"v"))
        print(store.stats().calls)
        """
    )
    assert said == "1"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_program_that_sets_a_provider_gets_spans(when: str) -> None:
    setup = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
    """
    opened = """
        import asyncio
        from statebucket import open_store
        store = open_store("memory://")
    """
    first, second = (setup, opened) if when == "before" else (opened, setup)
    said = run(
        textwrap.dedent(first)
        + textwrap.dedent(second)
        + "asyncio.run(store.set('k', b'v'))\n"
        + "print([span.name for span in exporter.get_finished_spans()])\n"
    )
    assert said == "['set']"


def test_it_can_be_turned_off() -> None:
    said = run(
        """
        import asyncio
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        trace.set_tracer_provider(TracerProvider())
        from statebucket import open_store, telemetry
        telemetry.off()
        asyncio.run(open_store("memory://").set("k", b"v"))
        print(telemetry.active())
        """
    )
    assert said == "None"


def test_an_api_without_advisory_boundaries_measures_all_the_same() -> None:
    said = run(
        """
        import asyncio
        from opentelemetry import metrics

        class Older(metrics.NoOpMeter):  # as version 1.27 has it
            def create_histogram(self, name, unit="", description=""):
                print(name)
                return super().create_histogram(name, unit, description)

        class Provider(metrics.NoOpMeterProvider):
            def get_meter(self, name, *rest, **more):
                return Older(name)

        metrics.set_meter_provider(Provider())
        from statebucket import open_store
        asyncio.run(open_store("memory://").set("k", b"v"))
        """
    )
    assert said == "db.client.operation.duration"


def test_a_part_of_the_api_that_is_missing_fails_no_call() -> None:
    said = run(
        """
        import asyncio, sys
        from opentelemetry import trace
        sys.modules["opentelemetry.metrics"] = None  # as if the API were from before metrics
        from statebucket import open_store, telemetry
        store = open_store("memory://")
        asyncio.run(store.set("k", b"v"))
        print(asyncio.run(store.get("k")), telemetry.active())
        """
    )
    assert said == "b'v' None"


@pytest.mark.parametrize("line", range(6))
def test_a_choice_stands_that_is_made_during_another_threads_first_call(line: int) -> None:
    said = run(
        f"""
        import sys
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from statebucket import telemetry
        from statebucket.sync import open_store
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from support.meanwhile import at_line

        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        store = open_store("memory://")
        functions = {{telemetry.active.__code__}}
        with at_line({line}, functions, lambda: telemetry.use(tracer_provider=provider)):
            store.set("first", b"v")
        store.get("second")
        print(exporter.get_finished_spans()[-1].name)
        """
    )
    assert said == "get"

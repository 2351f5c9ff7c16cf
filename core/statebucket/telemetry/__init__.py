"""Counters, spans and the switch: `use`, `off` and `auto` turn OpenTelemetry on, off, and back."""

from statebucket.telemetry.switch import active, auto, off, use

__all__ = ["active", "auto", "off", "use"]

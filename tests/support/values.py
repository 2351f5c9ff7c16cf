"""Values that several tests use."""

from __future__ import annotations

from enum import Enum


class Name(str, Enum):  # noqa: UP042  (a StrEnum formats as its value)
    """A string that formats as something else, as some programs use for their tenants."""

    ACME = "acme"

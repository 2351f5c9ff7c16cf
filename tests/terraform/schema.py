"""Checks that the arguments and blocks of a module are in its provider's schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraform.hcl import parts, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

# What Terraform itself accepts in every resource.
_META = frozenset({"count", "for_each", "depends_on", "provider", "lifecycle"})


def schemas(provider: str) -> dict[str, Any]:
    """The schemas of a provider's resources; ``schemas/extract.py`` says where they come from."""
    path = Path(__file__).parent / "schemas" / f"{provider}.json"
    found: dict[str, Any] = json.loads(path.read_text())["resources"]
    return found


def faults(folder: Path, provider: str) -> list[str]:
    """Arguments and blocks that the provider does not know, or that it requires and are missing."""
    known = schemas(provider)
    found = []
    for kind, name, body in resources(folder):
        place = f"{kind}.{name}"
        if kind in known:
            found += list(_faults(body, known[kind], place, top=True))
        else:
            found.append(f"{place}: no such resource")
    return found


def _faults(
    body: dict[str, Any], schema: dict[str, Any], place: str, *, top: bool = False
) -> Iterator[str]:
    seen = set()
    for name, block in parts(body):
        seen.add(name)
        if top and name in _META:
            continue
        if block is None:
            if name not in schema["arguments"]:
                yield f"{place}: no argument {name}"
        elif name not in schema["blocks"]:
            yield f"{place}: no block {name}"
        else:
            yield from _faults(block, schema["blocks"][name], f"{place}.{name}")
    required = {name for name, needed in schema["arguments"].items() if needed}
    required |= {name for name, block in schema["blocks"].items() if block["required"]}
    for name in sorted(required - seen):
        yield f"{place}: {name} is required"

"""Terraform files as data, read by python-hcl2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hcl2

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2] / "terraform"
MODULES = ("aws", "gcp", "azure")
EXAMPLES = (
    "aws-lambda",
    "aws-idempotency",
    "gcp-function",
    "azure-function",
    "aws-sweep",
    "gcp-sweep",
    "azure-sweep",
)

_BLOCK = "__is_block__"


def load(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every ``.tf`` file of a folder, parsed."""
    return [(path, hcl2.loads(path.read_text())) for path in sorted(folder.glob("*.tf"))]


def locals_of(path: Path) -> dict[str, Any]:
    """The locals that a file defines; expressions as text."""
    merged: dict[str, Any] = {}
    for block in hcl2.loads(path.read_text()).get("locals", []):
        merged |= {name: literal(value) for name, value in block.items() if name != _BLOCK}
    return merged


def variables_of(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """The variables of a module, in the order of its file."""
    return list(_labelled(hcl2.loads((folder / "variables.tf").read_text())["variable"]))


def outputs_of(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """The outputs of a module, in the order of its file."""
    return list(_labelled(hcl2.loads((folder / "outputs.tf").read_text())["output"]))


def resources(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The type, name and body of each resource; a data source's type begins with ``data.``."""
    for _, document in load(folder):
        for kind, start in (("resource", ""), ("data", "data.")):
            for block in document.get(kind, []):
                for of_type, named in block.items():
                    for name, body in named.items():
                        yield start + literal(of_type), literal(name), body


def literal(value: Any) -> Any:
    """A value without the quotes that python-hcl2 leaves on strings."""
    if isinstance(value, str) and value.startswith('"') and value.endswith('"'):
        return json.loads(value)
    return value


def is_block(value: Any) -> bool:
    """Whether a value is that of a nested block, not of an argument."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and (_BLOCK in value[0])
    )


def parts(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments and blocks of a body, dynamic blocks as the blocks that they make.

    Yields:
        The name, and None for an argument or the block's body.
    """
    for name, value in body.items():
        if name.startswith("__"):  # what python-hcl2 adds: marks and comments
            continue
        if name == "dynamic":
            for block in value:
                for label, dynamic in block.items():
                    for content in dynamic["content"]:
                        yield literal(label), content
        elif is_block(value):
            for block in value:
                yield name, block
        else:
            yield name, None


def _labelled(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in blocks:
        for label, body in block.items():
            yield literal(label), body

"""Writes the schema of a module's resources, from a package generated from it.

The providers' own schemas come with the providers, which cannot be had everywhere. HashiCorp's
prebuilt CDK packages on PyPI are generated from them: each resource is a class whose parameters are
its arguments and blocks. To write a list again:

    pip download --no-deps cdktf-cdktf-provider-google==16.12.1
    python extract.py google cdktf_cdktf_provider_google-16.12.1-py3-none-any.whl RESOURCE…

A data source is named with ``data.`` before it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

# What every resource has, and Terraform itself checks.
_META = frozenset(
    {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}
)


def block_of(cls: str, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    """The arguments and blocks of a class, by name, with whether each is required."""
    init = next(
        node
        for node in classes[cls].body
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )
    block: dict[str, Any] = {"arguments": {}, "blocks": {}}
    for parameter, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        name = parameter.arg.rstrip("_")  # a Python keyword has one at its end
        if name in _META or parameter.annotation is None:
            continue
        words = re.findall(r"\w+", ast.unparse(parameter.annotation))
        inner = next((word for word in words if word in classes), None)
        if inner is None:
            block["arguments"][name] = default is None
        else:
            block["blocks"][name] = {"required": default is None, **block_of(inner, classes)}
    return block


def resource_of(package: zipfile.ZipFile, provider: str, name: str) -> tuple[str, dict[str, Any]]:
    """A resource's schema, and the provider's version."""
    if name.startswith("data."):
        module = "data_" + name.removeprefix("data.")
    else:
        module = name.removeprefix(f"{provider}_")
    text = package.read(f"cdktf_cdktf_provider_{provider}/{module}/__init__.py").decode()
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    config = next(cls for cls in classes if cls.endswith("Config") and cls[:-6] in classes)
    schema = block_of(config, classes)
    version = re.search(rf"providers/hashicorp/{provider}/([0-9.]+)/", text)
    assert version is not None
    return version[1], schema


if __name__ == "__main__":
    provider, wheel, *names = sys.argv[1:]
    with zipfile.ZipFile(wheel) as package:
        found = {name: resource_of(package, provider, name) for name in names}
    (version,) = {version for version, _ in found.values()}
    document = {
        "source": f"hashicorp/{provider} {version}, as {Path(wheel).name} on PyPI gives it",
        "resources": {name: schema for name, (_, schema) in found.items()},
    }
    Path(__file__).with_name(f"{provider}.json").write_text(json.dumps(document, indent=1) + "\n")

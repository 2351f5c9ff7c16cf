"""Reads the SDK's own data files quickly: they are two thirds of the cost of making a client.

The SDK describes its services in JSON files. Its loader parses them with the standard library, and
looks into each of some 400 folders to find the services. This one reads the same files, from the
same search paths, with msgspec, and uses the folders' names as the services.

A process parses each file once, for all its stores. Likewise the SDK shares what a loader has read
among the clients of a session.
"""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader, create_loader


@lru_cache(maxsize=32)  # a client needs six
def _decoded(path: Path) -> Any:  # noqa: ANN401  (what the file holds)
    """Parses a file."""
    body = path.read_bytes()
    return msgspec.json.decode(gzip.decompress(body) if path.suffix == ".gz" else body)


class _QuickFiles(JSONFileLoader):
    """Loads ``.json`` and ``.json.gz`` files."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401  (what the file holds)
        """The decoded file, or None if there is none of that name."""
        for suffix in (".json.gz", ".json"):
            path = Path(file_path + suffix)
            if path.is_file():
                return _decoded(path)
        return None


class _QuickLoader(Loader):
    """The SDK's loader, which only looks up folders."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  (the SDK's)
        """The folders of the search paths; a service without a model fails when it is loaded."""
        folders = (Path(path) for path in self.search_paths)
        return sorted(
            {entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()}
        )


def quick_loader() -> Loader:
    """A loader with the SDK's default search paths, ``AWS_DATA_PATH`` included."""
    given = create_loader(os.environ.get("AWS_DATA_PATH"))
    return _QuickLoader(
        extra_search_paths=given.search_paths,
        file_loader=_QuickFiles(),
        include_default_search_paths=False,
    )

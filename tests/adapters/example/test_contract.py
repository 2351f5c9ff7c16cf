"""The example adapter passes the contract suite, run as an author would run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.example import dictionary
from adapters.example.server import DictionaryServer, Entry, running_dictionary
from statebucket import StateStore, open_store, opening
from statebucket.testing import RawObject, StateStoreContract, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINES = 125


class DictionaryTarget(Target):
    """A prefix of its own in the server's dictionary."""

    def __init__(self, server: DictionaryServer) -> None:
        super().__init__()
        self.server = server
        self.prefix = f"{uuid4().hex}/"

    def open(self, **options: Any) -> StateStore:
        url = f"dict://127.0.0.1:{self.server.server_address[1]}/{self.prefix[:-1]}"
        return open_store(url, **{"clock": self.clock} | options)

    def raw_names(self) -> list[str]:
        names = list(self.server.objects)
        return sorted(n.removeprefix(self.prefix) for n in names if n.startswith(self.prefix))

    def raw_get(self, name: str) -> RawObject | None:
        found = self.server.objects.get(self.prefix + name)
        return None if found is None else RawObject(found.body, json.loads(found.metadata))

    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        version = str(next(self.server.versions))
        entry = Entry(version, json.dumps(dict(metadata or {})), body)
        self.server.objects[self.prefix + name] = entry


class TestDictionary(StateStoreContract):
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[DictionaryServer]:
        with running_dictionary() as server:
            yield server

    @pytest.fixture
    def target(self, server: DictionaryServer, monkeypatch: pytest.MonkeyPatch) -> DictionaryTarget:
        # An installed adapter is found by its entry point; this one is not installed.
        entry = f"{dictionary.__name__}:open_bucket"
        monkeypatch.setitem(opening.BUILT_IN, "dict", entry)
        return DictionaryTarget(server)


def test_the_example_stays_small() -> None:
    lines = Path(dictionary.__file__).read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) < MAX_LINES

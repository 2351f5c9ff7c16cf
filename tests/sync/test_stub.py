"""The blocking store is the asynchronous one, call for call."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from statebucket import StateStore
from statebucket.contract.lease import Lease
from statebucket.contract.writer import SnapshotWriter
from statebucket.sync import BlockingLease, BlockingSnapshotWriter, BlockingStateStore

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = [
    (StateStore, BlockingStateStore),
    (Lease, BlockingLease),
    (SnapshotWriter, BlockingSnapshotWriter),
]


def test_the_stub_is_what_make_stubs_writes(tmp_path: Path) -> None:
    from generators.sync_stub import STUB, stub  # noqa: PLC0415  (only here)

    made = tmp_path / "sync.pyi"
    made.write_text(stub())
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--line-length", "100", str(made)]
    subprocess.run(ruff, check=True)
    assert made.read_text() == STUB.read_text(), "run `make stubs`"


@pytest.mark.parametrize(("source", "blocking"), PAIRS, ids=lambda kind: kind.__name__)
def test_every_call_has_the_same_signature_and_docstring(source: type, blocking: type) -> None:
    for name in dir(source):
        if name.startswith("_"):
            continue
        theirs = inspect.getattr_static(source, name)
        ours = inspect.getattr_static(blocking, name)
        assert ours.__doc__ == theirs.__doc__
        assert theirs.__doc__, name
        if inspect.isfunction(theirs):
            assert inspect.signature(ours) == inspect.signature(theirs)
            assert not inspect.iscoroutinefunction(ours)

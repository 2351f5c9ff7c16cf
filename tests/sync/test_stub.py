"""The blocking store is the asynchronous one, call for call."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from statebucket import StateStore, sync
from statebucket.contract.execution import ExecutionStore
from statebucket.contract.lease import Lease
from statebucket.contract.wording import for_blocking
from statebucket.contract.writer import SnapshotWriter
from statebucket.sync import (
    BlockingExecutionStore,
    BlockingLease,
    BlockingSnapshotWriter,
    BlockingStateStore,
)

STUB = Path(sync.__file__).with_suffix(".pyi")
PAIRS = [
    (StateStore, BlockingStateStore),
    (ExecutionStore, BlockingExecutionStore),
    (Lease, BlockingLease),
    (SnapshotWriter, BlockingSnapshotWriter),
]


def test_the_stub_is_what_make_stubs_writes(tmp_path: Path) -> None:
    from generators.sync_stub import stub  # noqa: PLC0415  (only here)

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
        assert ours.__doc__ == for_blocking(theirs.__doc__)
        assert theirs.__doc__, name
        if inspect.isfunction(theirs):
            assert inspect.signature(ours) == inspect.signature(theirs)
            assert not inspect.iscoroutinefunction(ours)


def test_the_blocking_store_speaks_of_no_waiting_but_its_own() -> None:
    documented = [inspect.getattr_static(kind, name) for _, kind in PAIRS for name in dir(kind)]
    docs = [one.__doc__ for one in (*documented, sync.open_store) if inspect.isfunction(one)]
    docs += [STUB.read_text()]
    assert not [doc for doc in docs if re.search(r"\basync\b|\bawait|event loop", doc or "")]


def test_overloads_have_their_docstring_in_the_stub() -> None:
    text = STUB.read_text()
    for name in ("get_json", "get_json_stored", "update_json"):
        for overload in text.split(f"    def {name}(")[1:]:
            assert overload.partition(":\n")[2].lstrip().startswith('"""As `'), name

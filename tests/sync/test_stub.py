"""The blocking store is the asynchronous one, call for call."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

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
        ours = member(blocking, name)
        assert ours.__doc__ == for_blocking(theirs.__doc__)
        assert theirs.__doc__, name
        if inspect.isfunction(theirs):
            of_ours, of_theirs = inspect.signature(ours), inspect.signature(theirs)
            assert list(of_ours.parameters) == list(of_theirs.parameters)
            for parameter in of_ours.parameters.values():
                same = of_theirs.parameters[parameter.name]
                assert (parameter.kind, parameter.default) == (same.kind, same.default)
            assert not inspect.iscoroutinefunction(ours)


@pytest.mark.parametrize("blocking", [blocking for _, blocking in PAIRS])
def test_help_shows_the_types_of_the_stub(blocking: type) -> None:
    stub = next(
        node
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == blocking.__name__
    )
    methods = {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef)}
    overloaded = Counter(node.name for node in stub.body if isinstance(node, ast.FunctionDef))
    checked = 0
    for name, node in methods.items():
        ours = member(blocking, name)
        if name.startswith("_") or overloaded[name] > 1 or not inspect.isfunction(ours):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        expected = {one.arg: ast.unparse(one.annotation) for one in arguments if one.annotation}
        if node.args.kwarg is not None and node.args.kwarg.annotation is not None:
            expected[node.args.kwarg.arg] = ast.unparse(node.args.kwarg.annotation)
        assert node.returns is not None
        shown = {key: _plain(text) for key, text in ours.__annotations__.items()}
        assert shown == expected | {"return": ast.unparse(node.returns)}, name
        assert inspect.signature(ours).return_annotation == ours.__annotations__["return"]
        checked += 1
    assert checked
    shown_by_help = pydoc.plain(pydoc.render_doc(blocking)).splitlines()
    assert any("(self" in line for line in shown_by_help)
    # An `async with` over the blocking store is refused by a method that is one.
    wrong = [line for line in shown_by_help if re.search(r"Async|\basync\b", line)]
    assert [line for line in wrong if "__a" not in line] == []


def member(kind: type, name: str) -> Any:
    """An attribute as its class has it: a method is made when it is first asked for."""
    getattr(kind, name)
    return inspect.getattr_static(kind, name)


def _plain(annotation: str) -> str:
    return ast.unparse(ast.parse(annotation, mode="eval"))


def test_the_blocking_store_speaks_of_no_waiting_but_its_own() -> None:
    documented = [member(kind, name) for _, kind in PAIRS for name in dir(kind)]
    docs = [one.__doc__ for one in (*documented, sync.open_store) if inspect.isfunction(one)]
    docs += [STUB.read_text()]
    assert not [doc for doc in docs if re.search(r"\basync\b|\bawait|event loop", doc or "")]


def test_overloads_have_their_docstring_in_the_stub() -> None:
    text = STUB.read_text()
    for name in ("get_json", "get_json_stored", "update_json"):
        overloads = text.split(f"    def {name}(")[1:]
        assert len(overloads) > 1
        for overload in overloads:
            assert overload.partition(":\n")[2].lstrip().startswith('"""As `'), name

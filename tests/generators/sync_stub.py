"""Writes core/statebucket/sync.pyi from the asynchronous classes: ``make stubs``."""

from __future__ import annotations

import ast
from pathlib import Path

from statebucket.contract.wording import BLOCKING_TYPES, for_blocking

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CORE = Path(__file__).parents[2] / "core" / "statebucket"
STUB = CORE / "sync.pyi"

HEAD = '''"""The blocking store; made by `make stubs` from the asynchronous one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from statebucket.contract.entries import KeyEntry, SnapshotEntry
from statebucket.contract.ids import ExecutionId, TenantId
from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
from statebucket.contract.offboarding import OffboardingReport
from statebucket.contract.partition import Partition
from statebucket.contract.reports import DeletionReport, SweepReport
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import MARGIN
from statebucket.contract.stats import Stats
from statebucket.contract.versions import Stored, Version

T = TypeVar("T")

'''

_CONTRACT = "contract/state_store.py"

# Each blocking class, and where the asynchronous ones that it is made from stand.
CLASSES = {
    "BlockingStateStore": [
        ("contract/state_store.py", "StorageBackend"),
        ("contract/state_store.py", "StateStore"),
    ],
    "BlockingExecutionStore": [("contract/execution.py", "ExecutionStore")],
    "BlockingLease": [("contract/lease.py", "Lease")],
    "BlockingSnapshotWriter": [("contract/writer.py", "SnapshotWriter")],
}
NAMES = BLOCKING_TYPES | {"__aenter__": "__enter__", "__aexit__": "__exit__"}


class _Blocking(ast.NodeTransformer):
    """Turns the signature of an asynchronous call into the blocking one."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(NAMES.get(node.id, node.id), node.ctx)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(ast.FunctionDef(**dict(ast.iter_fields(node))))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = NAMES.get(node.name, node.name)
        # The declaration has been read, and no blocking class is abstract.
        node.decorator_list = [
            decorator
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Name) and decorator.id != "abstractmethod"
        ]
        doc = for_blocking(ast.get_docstring(node, clean=False))
        ellipsis: ast.stmt = ast.Expr(ast.Constant(...))
        node.body = [ast.Expr(ast.Constant(doc)) if doc else ellipsis]
        return node


def _definition(file: str, name: str) -> ast.AST:
    tree = ast.parse((CORE / file).read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    raise LookupError(f"{file} has no {name}")


def _public(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not node.name.startswith("_") or node.name in NAMES


def _implements_overload(body: list[ast.stmt], at: int) -> bool:
    """Whether a function is the implementation behind overloads, which a stub leaves out."""
    node, before = body[at], body[at - 1] if at else None
    return (
        isinstance(node, ast.FunctionDef)
        and isinstance(before, ast.FunctionDef)
        and node.name == before.name
        and not node.decorator_list
    )


def _without_implementations(body: list[ast.stmt]) -> list[ast.stmt]:
    """A class's body, in which overloads have the docstring of what is behind them."""
    kept: list[ast.stmt] = []
    for at, member in enumerate(body):
        if not _implements_overload(body, at):
            kept.append(member)
            continue
        assert isinstance(member, ast.FunctionDef)
        for overload in reversed(kept):
            if not isinstance(overload, ast.FunctionDef) or overload.name != member.name:
                break
            overload.body = member.body
    return kept


def stub() -> str:
    """The stub's text."""
    parts = [HEAD]
    for name, sources in CLASSES.items():
        body: list[ast.stmt] = []
        attributes = ""
        for file, source in sources:
            node = _definition(file, source)
            assert isinstance(node, ast.ClassDef)
            for member in node.body:
                if isinstance(member, ast.AnnAssign):
                    attributes += f"    {ast.unparse(member)}\n"
                elif isinstance(member, _FUNCTIONS) and _public(member):
                    body.append(_Blocking().visit(member))
        body = _without_implementations(body)
        text = ast.unparse(ast.fix_missing_locations(ast.ClassDef(name, [], [], body, [])))
        head, _, rest = text.partition("\n")
        parts.append(f"{head}\n{attributes}{rest}\n\n")
    opener = _Blocking().visit(_definition("opening.py", "open_store"))
    parts.append(ast.unparse(ast.fix_missing_locations(opener)) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    STUB.write_text(stub())

"""Writes core/statebucket/sync.pyi from the asynchronous classes: ``make stubs``."""

from __future__ import annotations

import ast
from pathlib import Path

CORE = Path(__file__).parents[2] / "core" / "statebucket"
STUB = CORE / "sync.pyi"

HEAD = '''"""The blocking store; made by `make stubs` from the asynchronous one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from statebucket.contract.ids import ExecutionId, TenantId
from statebucket.contract.reports import DeletionReport, SweepReport
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import MARGIN
from statebucket.contract.stats import Stats
from statebucket.contract.versions import Stored, Version
from statebucket.lifecycle.report import LifecycleReport
from statebucket.lifecycle.plan import LifecyclePlan

T = TypeVar("T")

'''

_CONTRACT = "contract/state_store.py"

# Each blocking class, and where the asynchronous ones that it is made from stand.
CLASSES = {
    "BlockingStateStore": [
        ("contract/state_store.py", "StorageBackend"),
        ("contract/state_store.py", "StateStore"),
    ],
    "BlockingLease": [("contract/lease.py", "Lease")],
    "BlockingSnapshotWriter": [("contract/writer.py", "SnapshotWriter")],
}
NAMES = {
    "StateStore": "BlockingStateStore",
    "ObjectStateStore": "BlockingStateStore",
    "Lease": "BlockingLease",
    "SnapshotWriter": "BlockingSnapshotWriter",
    "AsyncIterator": "Iterator",
    "AbstractAsyncContextManager": "AbstractContextManager",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}
ATTRIBUTES = {
    "BlockingLease": {"execution_id": "str", "tenant_id": "str", "fence": "int"},
    "BlockingSnapshotWriter": {
        "saved": "int",
        "dropped": "int",
        "failed": "int",
        "version": "Version | None",
    },
}


class _Blocking(ast.NodeTransformer):
    """Turns an asynchronous signature into the blocking one."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(NAMES.get(node.id, node.id), node.ctx)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(ast.FunctionDef(**dict(ast.iter_fields(node))))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = NAMES.get(node.name, node.name)
        # The blocking classes are made from these at run time, and none of them is abstract.
        node.decorator_list = [
            decorator
            for decorator in node.decorator_list
            if not (isinstance(decorator, ast.Name) and decorator.id == "abstractmethod")
        ]
        doc = ast.get_docstring(node, clean=False)
        ellipsis: ast.stmt = ast.Expr(ast.Constant(...))
        node.body = [ast.Expr(ast.Constant(doc)) if doc else ellipsis]
        return node


def _definition(file: str, name: str) -> ast.AST:
    tree = ast.parse((CORE / file).read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    raise LookupError(f"{file} has no {name}")


def _public(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
        not node.name.startswith("_") or node.name in NAMES
    )


def _implements_overload(body: list[ast.stmt], at: int) -> bool:
    """Whether a function is the implementation behind overloads, which a stub leaves out."""
    node, before = body[at], body[at - 1] if at else None
    return (
        isinstance(node, ast.FunctionDef)
        and isinstance(before, ast.FunctionDef)
        and node.name == before.name
        and not node.decorator_list
    )


def stub() -> str:
    """The stub's text."""
    parts = [HEAD]
    for name, sources in CLASSES.items():
        body: list[ast.stmt] = []
        for source in sources:
            node = _definition(*source)
            assert isinstance(node, ast.ClassDef)
            body += [_Blocking().visit(member) for member in node.body if _public(member)]
        body = [member for at, member in enumerate(body) if not _implements_overload(body, at)]
        text = ast.unparse(ast.fix_missing_locations(ast.ClassDef(name, [], [], body, [])))
        head, _, rest = text.partition("\n")
        attributes = "".join(f"    {a}: {kind}\n" for a, kind in ATTRIBUTES.get(name, {}).items())
        parts.append(f"{head}\n{attributes}{rest}\n\n")
    opener = _Blocking().visit(_definition("opening.py", "open_store"))
    parts.append(ast.unparse(ast.fix_missing_locations(opener)) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    STUB.write_text(stub())

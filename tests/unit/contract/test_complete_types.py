"""No thread, and no child process, comes upon a type of which msgspec knows only a part."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# An annotation that takes its time, in a type within the type to which is decoded.
PROGRAM = """
import os, threading
import msgspec
from statebucket.sync import open_store

reached, go_on = threading.Event(), threading.Event()

class Slow:
    def __class_getitem__(cls, item):
        reached.set()
        assert go_on.wait(60)
        return item

class Inner(msgspec.Struct):
    number: "Slow[int]"

class Outer(msgspec.Struct):
    inner: "Inner"

store = open_store("memory://here")
store.set("k", b'{"inner":{"number":1}}')

def read():
    assert store.get_json("k", type=Outer) == Outer(Inner(1))

first = threading.Thread(target=read)
first.start()
assert reached.wait(60)
threading.Timer(0.2, go_on.set).start()
"""
IN_A_THREAD = "read(); first.join(); print('done')"
IN_A_CHILD = """
child = os.fork()
if not child:
    read()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
first.join()
print("done")
"""


@pytest.mark.parametrize("where", [IN_A_THREAD, IN_A_CHILD], ids=["thread", "child"])
def test_another_waits_until_the_type_is_complete(where: str) -> None:
    if where == IN_A_CHILD and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM + where],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_types_of_ours_are_completed_wherever_something_is_decoded_to_one() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}"
        for folder in ("core", "adapters")
        for path in (ROOT / folder).rglob("*.py")
        for call in _calls_in_functions(ast.parse(path.read_text()))
        if (kind := _decoded_to(call)) is not None
        and not (isinstance(kind, ast.Subscript) or ast.unparse(kind).startswith("complete("))
        and path.name != "complete_types.py"
    ]
    # Their own modules complete these two, at import.
    assert sorted(call.rpartition(": ")[2] for call in found) == [
        "msgspec.convert(fields, ExecutionSnapshot)",
        "msgspec.convert(value, Record)",
    ], found


def _calls_in_functions(module: ast.Module) -> list[ast.Call]:
    return [
        node
        for function in ast.walk(module)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    ]


def _decoded_to(call: ast.Call) -> ast.expr | None:
    """The type that a call of msgspec decodes to; None if it is another call, or has no type."""
    name = ast.unparse(call.func)
    named = {keyword.arg: keyword.value for keyword in call.keywords}.get("type")
    if name in {"msgspec.json.decode", "msgspec.msgpack.decode"}:
        return named
    position = {"msgspec.convert": 1, "msgspec.json.Decoder": 0, "msgspec.msgpack.Decoder": 0}
    if name not in position:
        return None
    return named or call.args[position[name]]

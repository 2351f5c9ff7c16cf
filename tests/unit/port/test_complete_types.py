"""No thread, child process or signal handler sees a type that msgspec has only half inspected."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# An annotation that takes its time, in a type within the one that is decoded to.
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
"""
FIRST = """
first = threading.Thread(target=read)
first.start()
assert reached.wait(60)
"""
SOON = "threading.Timer(0.5, go_on.set).start()\n"
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


# Decodes to the type that the interrupted call is looking into.
IN_A_HANDLER = """
import signal, time

def interrupt():
    reached.wait(60)
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.2)
    go_on.set()

signal.signal(signal.SIGUSR1, lambda *_: (read(), print("handled")))
threading.Thread(target=interrupt).start()
read()
print("done")
"""
# A child of a process in which another thread does not end looking into a type.
IN_A_LATER_CHILD = """
from statebucket.port import complete_types
complete_types._PATIENCE = 0.1
child = os.fork()
if not child:
    complete_types._PATIENCE = 60
    class Other(msgspec.Struct):
        inner: int
    store.set("other", b'{"inner":1}')
    assert store.get_json("other", type=Other) == Other(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
go_on.set()
first.join()
print("done")
"""


def _ran(program: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("where", [IN_A_THREAD, IN_A_CHILD], ids=["thread", "child"])
def test_another_waits_until_the_type_is_complete(where: str) -> None:
    assert _ran(PROGRAM + FIRST + SOON + where) == (0, "done\n", "")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_so_does_a_signal_handler() -> None:
    assert _ran(PROGRAM + IN_A_HANDLER) == (0, "handled\ndone\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    assert _ran(PROGRAM + FIRST + IN_A_LATER_CHILD) == (0, "done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_signal_handler_during_a_fork_does_not_wait_for_its_end() -> None:
    signalled = """
import os, signal
os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGUSR1))  # runs after later ones
"""
    program = """
go_on.set()
signal.signal(signal.SIGUSR1, lambda *_: (read(), print("handled", flush=True)))
child = os.fork()
if not child:
    os._exit(0)
os.waitpid(child, 0)
print("done")
"""
    assert _ran(signalled + PROGRAM + program) == (0, "handled\ndone\n", "")


def test_a_type_may_import_what_is_being_imported(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(
        "def __getattr__(name):\n    import item\n    return getattr(item, name)\n"
    )
    (tmp_path / "item.py").write_text(
        "import app, msgspec\nclass Item(msgspec.Struct):\n    number: int\n"
    )
    (tmp_path / "app.py").write_text(
        """
import models, msgspec
from statebucket.sync import open_store

class Config(msgspec.Struct):
    item: "models.Item"

with open_store("memory://") as store:
    store.set("k", b'{"item":{"number":1}}')
    print(store.get_json("k", type=Config).item.number)
"""
    )
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app"
    assert _ran(program) == (0, "1\n", "")


def test_what_takes_too_long_is_refused() -> None:
    program = """
from statebucket import errors
from statebucket.port import complete_types
complete_types._PATIENCE = 0.1
for kind in (Outer, Inner):
    try:
        store.get_json("k", type=kind)
    except errors.Unavailable as error:
        print("took more than 0.1 s" in str(error))
go_on.set()
"""
    assert _ran(PROGRAM + program) == (0, "True\nTrue\n", "")


def test_types_of_ours_are_completed_wherever_something_is_decoded_to_one() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}"
        for folder in ("core", "adapters")
        for path in (ROOT / folder).rglob("*.py")
        for call in _calls_in_functions(ast.parse(path.read_text()))
        if (kind := _decoded_to(call)) is not None
        and not ast.unparse(kind).startswith(("complete(", "dict[str, "))
        and path.name != "complete_types.py"
    ]
    # Their own modules complete these, at import.
    assert sorted(call.rpartition(": ")[2] for call in found) == [
        "msgspec.convert(dict(fields), cls)",
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
    return named or next(iter(call.args[position[name] :]), None)

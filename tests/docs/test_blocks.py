"""Every Python block of the pages runs unchanged, on SQLite in an empty folder.

Where a block of the language ``text`` follows, the program prints just that. A line ``$ python …``
in it is one more run of the program, in the same folder. A block of the language ``py`` needs what
no test has, as a model: it is only compiled.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from generators.pages import PAGES, ROOT, path

if TYPE_CHECKING:
    from pathlib import Path

# Those that say from which file they are belong to `test_quotes`: the file has tests of its own.
BLOCK = re.compile(
    r"(?<!-->\n)^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
# A deprecation is an error but for langgraph's of Python 3.14, in a module that it imports.
STRICT = ("-W", "error", "-W", "ignore::DeprecationWarning:langsmith._internal._beta_decorator")
PYTEST = (
    *("-m", "pytest", "-q", "-p", "statebucket_pytest", "-p", "pytest_asyncio"),
    *("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"),
)


class Block(NamedTuple):
    """A block of a page.

    Attributes:
        where: The page and the line that it begins at.
        code: The program, or a file of tests.
        runs: What each run prints; None for one that may print anything.
    """

    where: str
    code: str
    runs: list[str | None]


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            f"{path(page)}:{text.count(chr(10), 0, found.start()) + 1}",
            found["code"],
            runs(found["printed"]),
        )
        for found in BLOCK.finditer(text)
    ]


def runs(printed: str | None) -> list[str | None]:
    """What each run of a program prints, of all that a page shows."""
    if printed is None:
        return [None]
    first, *rest = re.split(r"^\$ python .*\n", printed, flags=re.MULTILINE)
    return [*rest] if rest else [first]


_ALL = [block for page in PAGES for block in blocks(page)]
# These run in environments of their own, by test_durable.py and test_fastmcp.py of integrations.
DURABLE = [block for block in _ALL if "from aws_durable_execution_sdk_python" in block.code]
FASTMCP = [block for block in _ALL if "from fastmcp" in block.code]
BLOCKS = [block for block in _ALL if block not in DURABLE + FASTMCP]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a block: as a test file if it holds tests, else as a program."""
    is_test = re.search(r"^(async )?def test_|^class Test", code, re.MULTILINE)
    file = folder / ("test_block.py" if is_test else "block.py")
    file.write_text(code)
    # What a page calls "the handler of a function".
    shutil.copy(ROOT / "terraform/examples/aws-lambda/handler.py", folder)
    arguments = [*PYTEST, file.name] if is_test else [*STRICT, file.name]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


def test_there_are_blocks_to_run() -> None:
    pages = {block.where.partition(":")[0] for block in BLOCKS}
    assert {"README.md", "core/README.md", "core/tutorial.md", "core/testing.md"} <= pages


@pytest.mark.parametrize("block", BLOCKS, ids=[block.where for block in BLOCKS])
def test_a_block_runs_and_prints_what_the_page_says(block: Block, tmp_path: Path) -> None:
    for printed in block.runs:
        done = run(block.code, tmp_path)
        assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"
        assert printed in {None, done.stdout}, block.where


@pytest.mark.parametrize("page", PAGES, ids=path)
def test_a_block_that_is_not_run_compiles(page: Path) -> None:
    for code in re.findall(r"^```py\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
        compile(code, path(page), "exec")


@pytest.mark.parametrize(
    "broken", ["import statebucket.nothing\n", "def test_it():\n    assert False\n"]
)
def test_a_broken_block_would_be_found(broken: str, tmp_path: Path) -> None:
    assert run(broken, tmp_path).returncode != 0


def test_what_a_page_shows_is_split_into_runs() -> None:
    assert runs("$ python a.py\none\n$ python a.py\ntwo\n") == ["one\n", "two\n"]
    assert runs("one\n") == ["one\n"]
    assert runs(None) == [None]

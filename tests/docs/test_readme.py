"""Every Python block of the documentation runs as it stands, on SQLite in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JOBS = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "core/jobs").glob("*.md"))
PAGES = [
    "README.md",
    *JOBS,
    "tests/adapters/example/README.md",
    "adapters/statebucket_aws/README.md",
    "adapters/statebucket_claude/README.md",
    "adapters/statebucket_keyvalue/README.md",
    "adapters/statebucket_langgraph/README.md",
]
PYTEST = (
    *("-m", "pytest", "-q", "-p", "statebucket_pytest", "-p", "pytest_asyncio"),
    *("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"),
)


def blocks(page: str) -> list[tuple[str, str]]:
    """The Python blocks of a page, each with the page and line it begins at.

    Those that say from which file they are belong to `test_quotes`: the file has tests of its own.
    """
    text = (ROOT / page).read_text()
    return [
        (f"{page}:{text.count(chr(10), 0, found.start()) + 1}", found[1])
        for found in re.finditer(
            r"(?<!-->\n)^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
        )
    ]


_ALL = [block for page in PAGES for block in blocks(page)]
# Run in an environment of their own, by integrations/aws/test_durable.py.
ELSEWHERE = [block for block in _ALL if "from aws_durable_execution_sdk_python" in block[1]]
BLOCKS = [block for block in _ALL if block not in ELSEWHERE]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a block: as a test file if it holds tests, else as a program."""
    is_test = re.search(r"^(async )?def test_|^class Test", code, re.MULTILINE)
    file = folder / ("test_block.py" if is_test else "block.py")
    file.write_text(code)
    # What a page calls "the handler above".
    shutil.copy(ROOT / "terraform/examples/aws-lambda/handler.py", folder)
    arguments = [*PYTEST, file.name] if is_test else ["-W", "error", file.name]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_contents_list_has_every_section_and_only_those_that_are_there() -> None:
    top, _, rest = (ROOT / "README.md").read_text().partition("\n## ")
    linked = set(re.findall(r"\(#([^)]*)\)", top))
    heads = re.findall(r"^(##|###) (.*)$", f"## {rest}", re.MULTILINE)
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-"): depth for depth, head in heads
    }
    assert linked <= set(anchors)
    assert {anchor for anchor, depth in anchors.items() if depth == "##"} <= linked


def test_the_readme_has_blocks_to_run() -> None:
    assert sum(where.startswith("README.md") for where, _ in BLOCKS) >= 2


@pytest.mark.parametrize(("where", "code"), BLOCKS, ids=[where for where, _ in BLOCKS])
def test_a_block_runs(where: str, code: str, tmp_path: Path) -> None:
    done = run(code, tmp_path)
    assert done.returncode == 0, f"{where}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    "broken", ["import statebucket.nothing\n", "def test_it():\n    assert False\n"]
)
def test_a_broken_block_would_be_found(broken: str, tmp_path: Path) -> None:
    assert run(broken, tmp_path).returncode != 0

"""Frameworks are loaded by what stands on them, and by nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {
    "claude": "claude_agent_sdk",
    "keyvalue": "key_value.aio",
    "langgraph": "langgraph.checkpoint.base",
}


def run(code: str) -> str:
    """What a new interpreter writes."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_statebucket_loads_none() -> None:
    roots = {module.partition(".")[0] for module in FRAMEWORKS.values()}
    code = (
        "import sys, statebucket, statebucket.sync; statebucket.open_store('memory://'); "
        f"print({roots!r} & {{name.partition('.')[0] for name in sys.modules}})"
    )
    assert run(code) == "set()"


@pytest.mark.parametrize(("extra", "module"), FRAMEWORKS.items())
def test_without_the_framework_the_error_names_the_extra(extra: str, module: str) -> None:
    code = (
        f"import sys; sys.modules['{module}'] = None\n"
        f"try: import statebucket_{extra}\n"
        "except ImportError as error: print(error)"
    )
    assert f'pip install "statebucket[{extra}]"' in run(code)

"""Frameworks are loaded only by the packages for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {
    "claude": ("claude_agent_sdk", "import statebucket_claude"),
    "keyvalue": ("key_value.aio", "import statebucket_keyvalue"),
    "langgraph": ("langgraph.checkpoint.base", "import statebucket_langgraph"),
    "powertools": (
        "aws_lambda_powertools",
        "from statebucket_aws import StatebucketPersistenceLayer",
    ),
    "durable": (
        "aws_durable_execution_sdk_python",
        "from statebucket_aws import StatebucketSerDes",
    ),
    "strands": ("strands.storage", "import statebucket_strands"),
}


def run(code: str) -> str:
    """What a new interpreter writes."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_statebucket_loads_none() -> None:
    roots = {module.partition(".")[0] for module, _ in FRAMEWORKS.values()}
    code = (
        "import sys, statebucket, statebucket.sync, statebucket_aws; "
        "statebucket.open_store('memory://'); "
        f"print({roots!r} & {{name.partition('.')[0] for name in sys.modules}})"
    )
    assert run(code) == "set()"


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_without_the_framework_the_error_names_the_extra(extra: str) -> None:
    module, loading = FRAMEWORKS[extra]
    code = (
        f"import sys; sys.modules['{module}'] = None\n"
        f"try: {loading}\n"
        "except ImportError as error: print(error)"
    )
    assert f'pip install "statebucket[{extra}]"' in run(code)


def test_one_of_the_two_for_aws_does_without_the_other() -> None:
    code = (
        "import sys; sys.modules['aws_durable_execution_sdk_python'] = None\n"
        "from statebucket_aws import StatebucketPersistenceLayer as layer; print(layer.__name__)"
    )
    assert run(code) == "StatebucketPersistenceLayer"


def test_what_is_not_there_is_an_attribute_error() -> None:
    code = "import statebucket_aws; print(hasattr(statebucket_aws, 'StatebucketNothing'))"
    assert run(code) == "False"

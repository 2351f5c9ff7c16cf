"""The handlers in the README are those that are tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUOTED = re.compile(r"<!-- from (\S+) -->\n```python\n(.*?)```", re.DOTALL)
FOUND = QUOTED.findall((ROOT / "README.md").read_text())


def test_there_is_a_handler_for_each_cloud() -> None:
    examples = {source for source, _ in FOUND if source.startswith("terraform/examples/")}
    assert len(examples) == 3


@pytest.mark.parametrize(("source", "code"), FOUND)
def test_a_handler_in_the_readme_is_the_tested_one(source: str, code: str) -> None:
    assert re.sub(r"\n+", "\n", code).strip() in re.sub(r"\n+", "\n", (ROOT / source).read_text())

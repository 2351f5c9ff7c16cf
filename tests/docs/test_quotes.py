"""The handlers and jobs that pages quote are the ones that are tested."""

from __future__ import annotations

import re

import pytest

from generators.pages import PAGES, ROOT

QUOTED = re.compile(r"<!-- from (\S+) -->\n```python\n(.*?)```", re.DOTALL)
JOBS = sorted((ROOT / "core/jobs").glob("*.md"))
FOUND = sorted({quoted for page in PAGES for quoted in QUOTED.findall(page.read_text())})


def test_there_is_a_handler_for_each_cloud() -> None:
    examples = {source for source, _ in FOUND if source.startswith("terraform/examples/")}
    assert len(examples) == 3


def test_each_job_is_quoted_in_its_page() -> None:
    jobs = [source for source, _ in FOUND if source.startswith("core/jobs/")]
    assert len(jobs) == len(JOBS) - 1  # one page lists the others


@pytest.mark.parametrize(("source", "code"), FOUND)
def test_what_is_quoted_is_what_is_tested(source: str, code: str) -> None:
    assert re.sub(r"\n+", "\n", code).strip() in re.sub(r"\n+", "\n", (ROOT / source).read_text())

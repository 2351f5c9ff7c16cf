"""The README's table has every method of a store, with its arguments; pages count an adapter's."""

from __future__ import annotations

import inspect
import re

import pytest

from generators.pages import METHODS, ROOT
from statebucket import StateStore
from statebucket.port.bucket import Bucket

CALLS = {
    name: re.findall(r"\*?\*?(\w+)", re.sub(r":[^,]*", "", arguments))
    for name, arguments in re.findall(r"(\w+)\(([^)`]*)\)", METHODS.stored())
}
PUBLIC = [
    name
    for name in dir(StateStore)
    if not name.startswith("_") and inspect.isfunction(getattr(StateStore, name))
]


def test_every_method_is_there_and_no_other() -> None:
    assert sorted(CALLS) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_method_has_its_arguments(name: str) -> None:
    arguments = list(inspect.signature(getattr(StateStore, name)).parameters)[1:]
    shown = CALLS[name]
    if "…" in METHODS.stored().partition(f"`{name}(")[2].partition(")")[0]:
        assert shown == arguments[: len(shown)]
    else:
        assert shown == arguments


@pytest.mark.parametrize(
    "page", ["core/README.md", "adapters/README.md", "tests/adapters/example/README.md"]
)
def test_a_page_says_how_many_calls_an_adapter_translates(page: str) -> None:
    calls = [name for name, one in vars(Bucket).items() if inspect.isfunction(one)]
    assert len([name for name in calls if not name.startswith("_")]) == 9
    assert "nine calls" in (ROOT / page).read_text(encoding="utf-8")

"""The README's table of methods has every method of a store, with the arguments it takes."""

from __future__ import annotations

import inspect
import re

import pytest

from generators.pages import METHODS
from statebucket import StateStore

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

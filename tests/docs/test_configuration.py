"""Blocks in languages other than Python can be parsed, and name what exists."""

from __future__ import annotations

import re
import tomllib

import hcl2
import pytest

from generators.pages import PAGES, ROOT, path


def blocks(language: str) -> list[object]:
    shown: list[object] = []
    for page in PAGES:
        found = re.findall(
            rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
        )
        shown += [pytest.param(text, id=f"{path(page)}:{n}") for n, text in enumerate(found)]
    return shown


@pytest.mark.parametrize("text", blocks("hcl"))
def test_terraform_can_be_read_and_has_the_modules_variables(text: str) -> None:
    read = hcl2.loads(text)
    for modules in read.get("module", []):
        for module in modules.values():
            folder = module["source"].strip('"').partition("terraform/")[2]
            declared = "".join(
                file.read_text() for file in (ROOT / "terraform" / folder).glob("*.tf")
            )
            given = {name for name in module if not name.startswith("__")} - {"source"}
            assert [name for name in given if f'variable "{name}"' not in declared] == []


@pytest.mark.parametrize("text", blocks("toml"))
def test_toml_can_be_read(text: str) -> None:
    assert tomllib.loads(text)

"""The page on a package index: the README, with links that lead into the repository."""

from __future__ import annotations

import re
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

from support.wheel_environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
FILES = f"{REPOSITORY}/blob/main/"
PICTURES = FILES.replace("//github.com", "//raw.githubusercontent.com").replace("/blob", "")


def test_links_and_pictures_lead_into_the_repository(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("/METADATA"))
        page = archive.read(name).decode()
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page)
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", page)
    assert pictures
    assert len(links) > 20
    assert [one for one in pictures if not one.startswith(PICTURES)] == []
    assert [one for one in links if not one.startswith(("https://", "#"))] == []
    ours = [one.removeprefix(PICTURES).removeprefix(FILES) for one in pictures + links]
    files = [one.partition("#")[0] for one in ours if not one.startswith(("https://", "#"))]
    assert [file for file in files if not (ROOT / file).exists()] == []

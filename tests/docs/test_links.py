"""Links and images that name one of our files or headings lead there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from generators.pages import PAGES, path

if TYPE_CHECKING:
    from pathlib import Path

LINKS = [
    pytest.param(page, link, id=f"{path(page)}:{link}")
    for page in PAGES
    for link in sorted(set(re.findall(r"\]\(([^)\s]+)\)", page.read_text())))
    if ":" not in link
]


def anchors(page: Path) -> set[str]:
    """What can be linked to in a page, as its headings are turned into names."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_there_are_links() -> None:
    assert len(LINKS) > 20


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)

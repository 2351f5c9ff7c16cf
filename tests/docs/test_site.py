"""The site that ``make docs`` builds: every link leads somewhere, nothing is loaded from elsewhere.

It is built in an environment of its own. These tests are left out where it is not built, or older
than its pages; CI builds it before.
"""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from generators.pages import PAGES
from generators.site.build import API, FRAMEWORKS, JOBS, TARGET

if TYPE_CHECKING:
    from pathlib import Path

HOME = TARGET / "index.html"


def current() -> bool:
    """Whether the site is built, from the pages as they are."""
    return HOME.exists() and HOME.stat().st_mtime > max(page.stat().st_mtime for page in PAGES)


pytestmark = pytest.mark.skipif(
    not current() and not os.environ.get("CI"),
    reason="the site is not built from these pages: make docs",
)


class Page(HTMLParser):
    """What a page links to, loads and can be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value is not None}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        elif tag in {"img", "script"} and "src" in found:
            self.loaded.add(found["src"])
        elif tag == "link" and found.get("rel") in {"stylesheet", "icon"}:
            self.loaded.add(found["href"])


@pytest.fixture(scope="module")
def pages() -> dict[Path, Page]:
    found = {
        file.resolve(): Page(file) for file in TARGET.rglob("*.html") if file.name != "404.html"
    }
    assert len(found) >= len(PAGES)
    return found


def target(file: Path, link: str) -> tuple[Path, str]:
    """The file and anchor that a link of a page leads to."""
    parts = urlsplit(link)
    there = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    return (there / "index.html" if there.is_dir() else there), unquote(parts.fragment)


def test_every_link_leads_to_a_page_and_a_place_in_it(pages: dict[Path, Page]) -> None:
    broken = []
    for file, page in pages.items():
        for link in page.links:
            if not urlsplit(link).scheme:
                there, anchor = target(file, link)
                known = pages[there].anchors if there in pages else {""}
                if not there.exists() or anchor not in known:
                    broken.append((str(file.relative_to(TARGET)), link))
    assert broken == []


def test_nothing_is_loaded_from_another_site(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert [one for one in page.loaded if urlsplit(one).scheme or one.startswith("//")] == []
        assert [one for one in page.loaded if not target(file, one)[0].exists()] == []


def test_each_framework_job_and_part_of_the_api_has_its_page() -> None:
    assert len(JOBS) == 8
    for page in (*FRAMEWORKS, *JOBS, *API.values()):
        place = page.removesuffix("README.md").removesuffix(".md")
        assert (TARGET / place / "index.html").exists()


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("api/open_store", "max_in_flight"),
        ("api/store", "save_snapshot"),
        ("api/execution", "load_stored"),
        ("api/blocking", "BlockingStateStore"),
        ("api/options", "etag_quotes"),
        ("api/errors", "VersionConflict"),
        ("api/testing", "state_clock"),
    ],
)
def test_the_api_is_what_the_docstrings_say(page: str, text: str) -> None:
    html = (TARGET / page / "index.html").read_text()
    assert text in re.sub(r"<[^>]+>", "", html)


def test_an_option_is_not_broken_after_its_hyphens() -> None:
    html = (TARGET / "core/scale/index.html").read_text()
    assert '<code class="option">--run</code>' in html
    assert "<code>--" not in html
    assert "{ .option }" not in html


def test_the_blocking_store_has_no_await() -> None:
    html = re.sub(r"<[^>]+>", "", (TARGET / "api/blocking/index.html").read_text())
    assert "async with" not in html.partition("class BlockingStateStore")[2]


def test_search_finds_the_tutorial() -> None:
    assert "core/tutorial/" in (TARGET / "search/search_index.json").read_text()

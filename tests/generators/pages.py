"""The documentation's pages, and the tables in them that are generated from the tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROOMS = ("adapters", "core", "terraform", "tests")
MADE = {".terraform", "build", "node_modules", "site"}
"""Folders that commands of ours make."""


def pages(root: Path) -> list[Path]:
    """Every page of a checkout, by its path."""
    files = (
        *root.glob("*.md"),
        *(file for room in ROOMS for file in root.glob(f"{room}/**/*.md")),
    )
    return sorted(file for file in files if not MADE & set(file.relative_to(root).parts))


PAGES = pages(ROOT)


def path(page: Path) -> str:
    """A page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


class Table(NamedTuple):
    """A table in a page, between two comments that name it.

    Attributes:
        page: The page's path in the repository.
        name: What the comments name it.
    """

    page: str
    name: str

    def stored(self) -> str:
        """The table as the page has it."""
        place = self._place().search((ROOT / self.page).read_text())
        assert place is not None, f"{self.page} has no place for the table {self.name}"
        return place[2]

    def write(self, table: str) -> None:
        """Puts the table into the page."""
        file = ROOT / self.page
        file.write_text(
            self._place().sub(lambda place: place[1] + table + place[3], file.read_text())
        )

    def _place(self) -> re.Pattern[str]:
        return re.compile(rf"(<!-- {self.name} -->\n)(.*?)(<!-- /{self.name} -->)", re.DOTALL)


REQUESTS = Table("core/README.md", "requests")
PROMISES = Table("tests/README.md", "promises")
SERVERS = Table("tests/README.md", "servers")
BENCH = Table("tests/README.md", "bench")
METHODS = Table("README.md", "methods")
ERRORS = Table("core/README.md", "errors")

"""Assembles and builds the site of the pages; ``make docs`` runs it.

The pages are those of the repository, in the same folders, so that links between them hold; a link
to any other file leads into the repository. A page that has no place in the order here comes last.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from generators.pages import PAGES, ROOT, path

HERE = Path(__file__).parent
DIST = ROOT / "dist"
SOURCE, TARGET = DIST / "docs-pages", DIST / "docs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
_LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)#\s]+)")
# A fenced block that the page says is quoted from a file, and places for tables.
_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)
# Fenced blocks; and options of the command line, which browsers would break after their hyphens.
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"(?<![`\w])(`-[^`\n]{1,30}`)(?!`)")
FRAMEWORKS = sorted(path(page) for page in ROOT.glob("adapters/statebucket_*/README.md"))
JOBS = sorted(path(page) for page in ROOT.glob("core/jobs/*.md") if page.name != "README.md")
API = {
    "open_store": "api/open_store.md",
    "The store": "api/store.md",
    "One execution": "api/execution.md",
    "The blocking store": "api/blocking.md",
    "Snapshots, states, versions": "api/snapshot.md",
    "Errors": "api/errors.md",
    "Leases and writers": "api/leases.md",
    "Reports and listings": "api/reports.md",
    "Options of the clouds": "api/options.md",
    "For tests": "api/testing.md",
    "For operators": "api/admin.md",
    "Telemetry": "api/telemetry.md",
    "The port, for adapters": "api/port.md",
}
NAV: list[Any] = [
    {
        "Start": [
            {"Tutorial": "core/tutorial.md"},
            {"open_store": "api/open_store.md"},
            {"Overview": "README.md"},
            {"In a function": "core/functions.md"},
            {"Testing your code": "core/testing.md"},
            {"Beside other stores": "core/compared.md"},
        ]
    },
    {"Jobs": ["core/jobs/README.md", *JOBS]},
    {"API": [{title: page} for title, page in API.items() if title != "open_store"]},
    {"Clouds and frameworks": ["adapters/README.md", *FRAMEWORKS]},
    {
        "Running it": [
            "terraform/README.md",
            {"AWS": "terraform/aws/README.md"},
            {"Google Cloud": "terraform/gcp/README.md"},
            {"Azure": "terraform/azure/README.md"},
            {"At scale": "core/scale.md"},
            {"Command line": "core/command-line.md"},
            {"Telemetry": "core/telemetry.md"},
            {"Security": "SECURITY.md"},
        ]
    },
    {
        "How it works": [
            "core/README.md",
            {"What was tested": "tests/README.md"},
            {"Benchmarks": "tests/benchmarks/results.md"},
            {"Writing an adapter": "tests/adapters/example/README.md"},
            {"Contributing": "CONTRIBUTING.md"},
            {"Changelog": "CHANGELOG.md"},
        ]
    },
]


def navigation() -> list[Any]:
    """The order of all pages; those that have no place in it are a section of their own."""
    placed = json.dumps(NAV)
    others = [path(page) for page in PAGES if f'"{path(page)}"' not in placed]
    return [*NAV, {"More": others}] if others else NAV


def assemble() -> None:
    """Copies every page, and what its links show, to where MkDocs reads them."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for page in PAGES:
        target = SOURCE / path(page)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(site_text(page))
    shutil.copytree(HERE / "api", SOURCE / "api")
    shutil.copy(HERE / "extra.css", SOURCE)


def site_text(page: Path) -> str:
    """A page as the site has it: links to files that are no pages lead into the repository."""

    def link(found: re.Match[str]) -> str:
        target = (page.parent / found[2]).resolve()
        name = target.relative_to(ROOT).as_posix()
        if target.suffix == ".svg":
            picture = SOURCE / name
            picture.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(target, picture)
        elif target not in PAGES:
            return f"{found[1]}{REPOSITORY}/{'tree' if target.is_dir() else 'blob'}/main/{name}"
        return found[0]

    return unbroken(_LINK.sub(link, _COMMENT.sub("", page.read_text())))


def unbroken(text: str) -> str:
    """A page's text with its options marked for extra.css, which keeps each on one line."""
    blocks = _FENCED.split(text)
    blocks[::2] = [_OPTION.sub(r"\1{ .option }", block) for block in blocks[::2]]
    return "".join(blocks)


def configuration() -> dict[str, Any]:
    """What the pages and this checkout add to mkdocs.yml."""
    return {
        "INHERIT": str(HERE / "mkdocs.yml"),
        "docs_dir": str(SOURCE),
        "site_dir": str(TARGET),
        "nav": navigation(),
        "plugins": {
            "mkdocstrings": {
                "handlers": {"python": {"paths": [str(ROOT / "core"), str(ROOT / "adapters")]}}
            }
        },
    }


def main() -> None:
    """Builds the site; a warning is an error."""
    assemble()
    file = DIST / "mkdocs.json"
    file.write_text(json.dumps(configuration(), indent=1))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "-f", str(file)]
    raise SystemExit(
        subprocess.run(
            command, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
        ).returncode
    )


if __name__ == "__main__":
    main()

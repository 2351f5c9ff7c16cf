"""How Hypothesis runs here, and an adapter that is found as a third party's is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from pathlib import Path

if not os.environ.get("CI"):  # there Hypothesis has a profile of its own: fixed examples
    settings.register_profile("statebucket", deadline=None)
    settings.load_profile("statebucket")


@pytest.fixture
def _scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs the adapter of `support.scripted_bucket` for ``scripted://``."""
    info = tmp_path / "scripted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[statebucket.adapters]\nscripted = support.scripted_bucket:open_scripted\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

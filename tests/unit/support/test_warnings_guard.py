"""The guard notices what a test leaves behind, though pytest's own objects are set aside."""

from __future__ import annotations

import gc
from typing import IO, TYPE_CHECKING

import pytest

from support.warnings_guard import listening

if TYPE_CHECKING:
    from pathlib import Path


class Holder:
    """Holds a file, and itself."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.itself = self


def test_a_file_left_open_in_a_cycle_is_heard(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unclosed file"), listening():
        Holder((tmp_path / "left").open("w"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_that_was_left_open_before_is_not(tmp_path: Path) -> None:
    gc.disable()  # or it may go before
    try:
        Holder((tmp_path / "left").open("w"))
        with listening() as heard:
            pass
        assert heard == []
    finally:
        gc.enable()


def test_no_collection_goes_through_what_pytest_has_collected() -> None:
    assert gc.get_freeze_count() > 10_000

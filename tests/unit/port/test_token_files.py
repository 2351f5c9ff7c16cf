"""Tokens in files, and that no error shows a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.port.token_files import token_in
from support.error_texts import texts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_may_end_with_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "token"
    for content in (b"a.b-c_d=", b" a.b-c_d=\r\n"):
        path.write_bytes(content)
        assert token_in(str(path)) == "a.b-c_d="


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"hunter2\nx: y", b"hunter2\xff", b"hunter2\0", "hunter2\u2028".encode()],
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no token") as caught:
        token_in(str(path))
    assert "hunter2" not in "".join(texts(caught.value))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(OSError, match="Errno"):
            token_in(str(path))

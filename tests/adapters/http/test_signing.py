"""What signatures share: HMAC-SHA-256 as the standard library has it, and the time."""

from __future__ import annotations

import hmac
from types import SimpleNamespace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from statebucket_http import signing
from statebucket_http.signing import SecondClock, SigningKey

if TYPE_CHECKING:
    import pytest


@given(secret=st.binary(max_size=200), texts=st.lists(st.binary(max_size=300), max_size=3))
def test_a_key_signs_as_hmac_does_again_and_again(secret: bytes, texts: list[bytes]) -> None:
    key = SigningKey(secret)
    for text in texts:
        assert key.sign(text) == hmac.digest(secret, text, "sha256")


def test_the_time_is_written_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def write(second: int) -> str:
        written.append(second)
        return f"at {second}"

    moments = iter([100.0, 100.4, 100.99, 101.0, 99.5])
    monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: next(moments)))
    clock = SecondClock(write)
    assert [clock.now() for _ in range(5)] == ["at 100", "at 100", "at 100", "at 101", "at 99"]
    assert written == [100, 101, 99]

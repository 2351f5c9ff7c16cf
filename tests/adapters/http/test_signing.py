"""What signatures share: HMAC-SHA-256, as in the standard library, and the time."""

from __future__ import annotations

import hmac
from types import SimpleNamespace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from statebucket_http import signing
from statebucket_http.signing import HeaderForms, SecondClock, SigningKey

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


NAMES = st.text("abcz-%", min_size=1, max_size=6)


@given(
    headers=st.lists(
        st.dictionaries(NAMES, st.text("v %s", max_size=5), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_headers_are_in_order_and_none_has_anothers_value(headers: list[dict[str, str]]) -> None:
    forms = HeaderForms()
    for fields in headers:
        form = forms.of(fields)
        assert form.names == ";".join(sorted(fields))
        expected = "\n".join(f"{name}:{fields[name]}" for name in sorted(fields))
        assert form.lines % form.values(fields) == expected


def test_only_headers_of_the_prefix_are_signed() -> None:
    form = HeaderForms("x-ms-").of({"host": "h", "x-ms-date": "d", "x-ms": "no"})
    assert (form.names, form.lines % form.values({"x-ms-date": "d"})) == (
        "x-ms-date",
        "x-ms-date:d",
    )

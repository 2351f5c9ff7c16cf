"""Ids and keys as segments of a name: reversible, and free of collisions."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statebucket import errors
from statebucket.contract.segments import decode, encode
from support.texts import texts, whole

SEGMENT = re.compile(r"[A-Za-z0-9_.~-]+")


@settings(max_examples=500)
@given(texts)
@example(".")
@example("..")
@example("a.")
@example("~2E")
@example("€" * 300)
def test_any_text_comes_back_from_a_plain_segment(text: str) -> None:
    segment = encode(text)
    assert SEGMENT.fullmatch(segment)
    assert not segment.startswith(".")
    assert not segment.endswith(".")
    assert decode(segment) == text


@settings(max_examples=500)
@given(texts, texts)
@example("/", "~2F")
@example("~2F", "~7E2F")
@example("a", "A")
def test_different_texts_have_different_segments(one: str, other: str) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.text("~0123456789ABCDEFabcdef.-_/é", max_size=12) | st.text(max_size=12))
@example("~E2~82~AC")
def test_a_segment_is_decoded_only_if_it_is_what_encode_writes(segment: str) -> None:
    text = decode(segment)
    assert text is None or encode(text) == segment


@pytest.mark.parametrize(
    "segment",
    [
        "",
        ".",
        "..",
        ".a",
        "a.",
        "a/b",
        "/",
        "a b",
        "é",
        "a\n",
        "~",
        "~4",
        "~G0",
        "~2f",  # not in capitals
        "~41",  # what stands for itself
        "~2D",
        "a~2Eb",  # an inner dot stands for itself
        "~FF",  # not UTF-8
        "~C3",
        "~C0~AF",  # an overlong slash
        "~ED~A0~80",  # a surrogate
        "~ 1",
        "~+1",
        "%2F",
        "~٣٣",  # digits, but not ASCII's
    ],
)
def test_what_encode_never_writes_is_no_id(segment: str) -> None:
    assert decode(segment) is None


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("plain-1_2", "plain-1_2"),
        ("v1.2.3", "v1.2.3"),
        (".", "~2E"),
        ("..", "~2E~2E"),
        (".hidden.", "~2Ehidden~2E"),
        ("...", "~2E.~2E"),
        ("../x", "~2E.~2Fx"),
        ("a/b", "a~2Fb"),
        ("~2F", "~7E2F"),
        ("%2F", "~252F"),
        ("\x00\n", "~00~0A"),
        ("€", "~E2~82~AC"),
    ],
)
def test_how_text_is_written(text: str, segment: str) -> None:
    assert encode(text) == segment


@given(whole)
@example("é")
@example("\u212b")
@example("\ufb01")
def test_unicode_forms_stay_distinct(text: str) -> None:
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert len({encode(form) for form in forms}) == len(forms)


@pytest.mark.parametrize("bad", ["", "\ud800", "a\udfff", None, 3, b"k", ["k"]], ids=ascii)
def test_what_is_no_text_is_refused(bad: Any) -> None:
    with pytest.raises(errors.InvalidKey, match="the thing"):
        encode(bad, what="the thing")

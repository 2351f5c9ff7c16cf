"""Strategies for ids and keys."""

from __future__ import annotations

from hypothesis import strategies as st

# Any text, and text of the characters that are most likely to confuse names.
whole = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
awkward = st.text("ab./~:%2FE \\\n\x00é\u0301", min_size=1, max_size=6)
texts = awkward | whole

"""Strategies for ids and keys."""

from __future__ import annotations

from hypothesis import strategies as st

# Text in general, and text of the characters that names are most easily confused by.
whole = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
awkward = st.text("ab./~:%2FE \\\n\x00é\u0301", min_size=1, max_size=6)
texts = awkward | whole

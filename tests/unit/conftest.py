"""How Hypothesis runs here."""

from __future__ import annotations

import os

from hypothesis import settings

if not os.environ.get("CI"):  # there Hypothesis has a profile of its own: fixed examples
    settings.register_profile("statebucket", deadline=None)
    settings.load_profile("statebucket")

"""The store's class as callers see it."""

from __future__ import annotations

import inspect

import pytest

from statebucket import StateStore
from statebucket.store.store import ObjectStateStore

PUBLIC = sorted(name for name in dir(StateStore) if not name.startswith("_"))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_call_of_the_store_is_documented_as_the_contracts(name: str) -> None:
    promised = inspect.getdoc(getattr(StateStore, name))
    assert promised
    assert inspect.getdoc(getattr(ObjectStateStore, name)) == promised

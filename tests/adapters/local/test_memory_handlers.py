"""A signal handler's call may come in the middle of another call on the same key in memory."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import Version, errors
from statebucket.sync import open_store
from statebucket_local import memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from statebucket.sync import BlockingStateStore

CALLS: dict[str, Callable[[BlockingStateStore], Any]] = {
    "set": lambda store: store.set("k", b"by the call"),
    "create": lambda store: store.set("k", b"created", if_version=Version.ABSENT),
    "delete": lambda store: store.delete("k"),
    "list": lambda store: list(store.iter_keys()),
}
HANDLERS: dict[str, Callable[[BlockingStateStore], Any]] = {
    "set": lambda store: store.set("k", b"by the handler"),
    "create": CALLS["create"],
    "delete": CALLS["delete"],
    "set before": lambda store: store.set("a", b"by the handler"),
    "list": CALLS["list"],
}


def interrupted(
    store: BlockingStateStore,
    call: Callable[[BlockingStateStore], Any],
    handler: Callable[[BlockingStateStore], Any],
    at: int,
) -> tuple[list[str], bool]:
    """What was created, and whether the handler was called.

    Python runs a signal's handler when a function begins or has returned, among other moments. The
    handler is called at the ``at``-th of these in the adapter.
    """
    created: list[str] = []
    seen = 0

    def act(name: str, act: Callable[[BlockingStateStore], Any]) -> None:
        with suppress(errors.VersionConflict):
            act(store)
            created.append(name)

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal seen
        if frame.f_code.co_filename == memory.__file__ and event != "c_call":
            seen += 1
            if seen == at:
                sys.setprofile(None)
                act("handler", handler)

    sys.setprofile(profile)
    try:
        act("call", call)
    finally:
        sys.setprofile(None)
    return created, seen >= at


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("before", [[], ["k"], ["b", "k", "z"]], ids=len)
def test_an_interrupted_call_leaves_each_key_in_order(
    before: list[str], call: str, handler: str
) -> None:
    at, called = 1, True
    while called:
        with open_store("memory://") as store:
            for key in before:
                store.set(key, b"0")
            created, called = interrupted(store, CALLS[call], HANDLERS[handler], at)
            there = [key for key in ("a", "b", "k", "z") if store.exists(key)]
            assert list(store.iter_keys()) == there
            if call == handler == "create":
                assert len(created) == ("k" not in before)
        at += 1
    assert at > 4

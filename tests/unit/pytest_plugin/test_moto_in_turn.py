"""The moto of the fixtures handles one request at a time."""

from __future__ import annotations

import time
from io import BytesIO
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto")

from statebucket_pytest.moto import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable


class Stopped(BytesIO):
    """A body that stops in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = Event(), Event()

    def readinto(self, _: object) -> int:
        self.begun.set()
        self.goes_on.wait(60)
        return 0


def test_one_request_is_handled_after_the_other() -> None:
    inside: list[int] = []

    def application(_environ: Any, _start: Any) -> Iterable[bytes]:
        inside.append(1)
        found = len(inside)
        time.sleep(0.01)
        inside.pop()
        return [b"%d" % found]

    app, answers = in_turn(application), list[bytes]()
    threads = [
        Thread(target=lambda: answers.extend(app({"wsgi.input": BytesIO()}, lambda *_: print)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"1"] * 8


def test_a_body_that_stops_holds_up_no_other() -> None:
    app, stopped = in_turn(lambda _environ, _start: [b"done"]), Stopped()
    held = {"wsgi.input": stopped, "CONTENT_LENGTH": "5", "REQUEST_METHOD": "PUT"}
    thread = Thread(target=lambda: app(held, lambda *_: print))
    thread.start()
    assert stopped.begun.wait(60)
    assert [*app({"wsgi.input": BytesIO()}, lambda *_: print)] == [b"done"]
    stopped.goes_on.set()
    thread.join()

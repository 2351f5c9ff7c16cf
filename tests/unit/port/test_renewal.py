"""Tokens are renewed before they expire, once for all callers, in the background."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from rich.pretty import pretty_repr

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable
from statebucket.port.renewal import RENEW_BEFORE, SPARE, Pauses, RenewingSource, Token, TokenSource
from support.patience import happened

if TYPE_CHECKING:
    from collections.abc import Callable


class Service:
    """Gives tokens, numbered, that last as long as a test says; or fails, or waits."""

    def __init__(self) -> None:
        self.asked = 0
        self.lasts = 3600.0
        self.fails: Callable[[], Exception] | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def load(self) -> Token:
        self.asked += 1
        number = self.asked
        self.may_answer.wait(20)
        if self.fails is not None:
            raise self.fails()
        return Token(f"token-{number}", time.time() + self.lasts)

    def asked_by(self, count: int) -> bool:
        """Whether it is asked so often, soon."""
        for _ in range(5000):
            if self.asked >= count:
                return True
            time.sleep(0.01)
        return False


async def until(source: TokenSource, value: str) -> None:
    """Waits until the source gives a token."""
    for _ in range(1000):
        if await source.get() == value:
            return
        await asyncio.sleep(0.01)
    raise AssertionError


def test_callers_of_all_loops_and_threads_share_one_load() -> None:
    service = Service()
    service.may_answer.clear()
    source = TokenSource(service.load)

    async def several() -> list[str]:
        return await asyncio.gather(*(source.get() for _ in range(4)))

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(asyncio.run, several()) for _ in range(3)]
        assert service.asked_by(1)
        time.sleep(0.1)  # so that all have asked
        service.may_answer.set()
        assert [call.result(20) for call in calls] == [["token-1"] * 4] * 3
    assert service.asked == 1


def passes(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Lets some time pass at once."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)


@pytest.mark.asyncio
async def test_a_token_that_lasts_is_used_while_it_is_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service()
    service.lasts = RENEW_BEFORE + 100
    source = TokenSource(service.load)
    assert await source.get() == "token-1"
    passes(monkeypatch, 101)
    service.may_answer.clear()
    assert await asyncio.gather(*(source.get() for _ in range(8))) == ["token-1"] * 8
    assert service.asked_by(2)
    service.lasts = 3600.0
    service.may_answer.set()
    await until(source, "token-2")
    assert service.asked == 2


@pytest.mark.asyncio
async def test_a_token_that_is_about_to_end_is_waited_for() -> None:
    service = Service()
    service.lasts = 5.0
    source = TokenSource(service.load)
    assert [await source.get() for _ in range(3)] == ["token-1", "token-2", "token-3"]


@pytest.mark.asyncio
async def test_a_renewal_that_fails_is_not_tried_with_each_call_while_the_token_lasts() -> None:
    service = Service()
    service.lasts = RENEW_BEFORE - 1
    source = TokenSource(service.load)
    await source.get()
    service.fails = lambda: Unavailable("away")
    began = time.monotonic()
    for _ in range(50):
        assert await source.get() == "token-1"
        await asyncio.sleep(0.002)
    assert service.asked <= 2 + (time.monotonic() - began)


@pytest.mark.asyncio
async def test_a_source_that_gives_the_same_token_again_is_not_asked_with_each_call() -> None:
    asked = 0

    def load() -> Token:
        nonlocal asked
        asked += 1
        return Token("the same", time.time() + RENEW_BEFORE - 1)

    source = TokenSource(load)
    began = time.monotonic()
    for _ in range(50):
        assert await source.get() == "the same"
        await asyncio.sleep(0.002)
    assert asked <= 2 + (time.monotonic() - began)


@pytest.mark.asyncio
async def test_tokens_that_never_last_are_not_loaded_with_each_call() -> None:
    service = Service()
    service.lasts = RENEW_BEFORE - 1
    source = TokenSource(service.load)
    began = time.monotonic()
    for _ in range(50):
        await source.get()
        await asyncio.sleep(0.002)
    assert service.asked <= 2 + (time.monotonic() - began)


@pytest.mark.asyncio
async def test_each_caller_has_an_error_of_its_own_and_the_next_call_asks_again() -> None:
    service = Service()
    service.fails = lambda: Unavailable("away", code="503")
    service.may_answer.clear()
    source = TokenSource(service.load)
    calls = [asyncio.ensure_future(source.get()) for _ in range(2)]
    await asyncio.sleep(0.05)
    service.may_answer.set()
    first, second = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(first, Unavailable)
    assert isinstance(second, StateBucketError)
    assert first is not second
    assert (first.message, first.code) == (second.message, second.code) == ("away", "503")
    service.fails = None
    assert await source.get() == "token-2"


@pytest.mark.asyncio
async def test_a_caller_that_leaves_takes_no_token_from_the_others() -> None:
    service = Service()
    service.may_answer.clear()
    source = TokenSource(service.load)
    leaving, staying = (asyncio.ensure_future(source.get()) for _ in range(2))
    await asyncio.sleep(0.05)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    service.may_answer.set()
    assert await staying == "token-1"


@pytest.mark.asyncio
async def test_a_load_that_takes_too_long_is_left_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service()
    service.may_answer.clear()
    source = TokenSource(service.load)
    hanging = asyncio.ensure_future(source.get())
    await happened(lambda: service.asked == 1)
    monkeypatch.setattr("statebucket.port.renewal._LONGEST", 0.0)
    waiting = asyncio.ensure_future(source.get())
    assert await asyncio.to_thread(service.asked_by, 2)
    service.may_answer.set()
    assert {await hanging, await waiting} == {"token-1", "token-2"}


@pytest.mark.asyncio
async def test_a_refused_token_is_forgotten_but_not_the_one_after_it() -> None:
    service = Service()
    source = TokenSource(service.load)
    assert await source.get() == "token-1"
    source.drop("token-1")
    assert await source.get() == "token-2"
    source.drop("token-1")  # another call met the same refusal
    assert await source.get() == "token-2"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "value", ["", "hunter2\n", "hunter2\r\nx: y", "hunter2\u20ac", "hunter2\x00"]
)
async def test_a_token_that_no_header_holds_is_refused_and_not_shown(value: str) -> None:
    source = TokenSource(lambda: Token(value, time.time() + 3600))
    with pytest.raises(InvalidCredentials) as caught:
        await source.get()
    assert "hunter2" not in f"{caught.value} {caught.value!r}"


def test_no_repr_shows_a_token() -> None:
    token = Token("hunter2", 1.0)
    assert "hunter2" not in f"{token!r} {token} {pretty_repr([token])}"


@pytest.mark.asyncio
async def test_what_lasts_for_a_short_time_is_renewed_within_a_share_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service()
    service.lasts = 2000
    source = RenewingSource(service.load, "test", before=3600, share=0.95)
    assert (await source.load()).value == "token-1"
    for _ in range(20):
        assert source.current() is not None  # not due for a hundred seconds
    assert service.asked == 1
    passes(monkeypatch, 101)
    assert source.current() is not None
    assert service.asked_by(2)


@pytest.mark.asyncio
async def test_what_is_at_hand_needs_no_load() -> None:
    service = Service()
    source = RenewingSource(service.load, "test")
    assert source.current() is None
    source.keep(Token("given", float("inf")))
    for _ in range(3):
        assert source.current() == Token("given", float("inf"))
    source.keep(Token("given", time.time() + SPARE / 2))
    assert source.current() is None  # it may end on its way
    assert service.asked == 0


def test_the_pauses_grow_until_something_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pauses = Pauses()
    found = []
    for _ in range(7):
        began = now
        pauses.note(lasts=False)
        while not pauses.over():
            now += 0.5
        found.append(now - began)
    assert found == [1, 2, 4, 8, 16, 30, 30]
    pauses.note(lasts=True)
    assert pauses.over()
    pauses.note(lasts=False)
    now += 1
    assert pauses.over()


@pytest.mark.asyncio
async def test_a_load_that_ends_behind_a_later_one_does_not_replace_what_that_brought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("statebucket.port.renewal._LONGEST", 0.0)  # another may begin at once
    hung, asked = threading.Event(), 0

    def load() -> Token:
        nonlocal asked
        asked += 1
        if asked == 1:
            hung.wait(20)
            return Token("the first", time.time() + 600)
        return Token("the second", time.time() + 3600)

    source = RenewingSource(load, "test")
    first = asyncio.create_task(source.load())
    await happened(lambda: asked == 1)
    assert (await source.load()).value == "the second"
    hung.set()
    assert (await first).value == "the first"
    current = source.current()
    assert current is not None
    assert current.value == "the second"
    assert asked == 2


@pytest.mark.asyncio
async def test_where_no_thread_starts_the_error_has_pythons_reason_and_the_next_call_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = TokenSource(Service().load)
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", start)
        with pytest.raises(Unavailable, match="started: can't start new thread"):
            await source.get()
    assert await source.get() == "token-1"

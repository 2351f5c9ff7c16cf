"""Work in threads of its own beside a loop: nothing ever has to wait for them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from statebucket.port.threads import Lookups, in_thread


def test_the_result_or_the_error_comes_back() -> None:
    async def work() -> None:
        name = await in_thread(lambda: threading.current_thread().name, "of-its-own")
        assert name == "of-its-own"
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 / 0, "of-its-own")

    asyncio.run(work())


def test_neither_the_caller_nor_the_end_of_the_loop_waits_for_what_hangs() -> None:
    free = threading.Event()

    async def work() -> None:
        async with asyncio.timeout(0.05):
            await in_thread(lambda: free.wait(60), "hangs")

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(work())
    free.set()
    assert time.monotonic() - started < 20


def test_where_no_thread_is_started_the_caller_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    async def work() -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        here = threading.current_thread()
        assert await in_thread(threading.current_thread, "no-thread") is here

    asyncio.run(work())


def test_names_are_looked_up_as_by_a_loop() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        for lookups in (loop, Lookups()):
            found = await lookups.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
            assert [entry[4] for entry in found] == [("127.0.0.1", 80)]
            flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            assert await lookups.getnameinfo(("127.0.0.1", 80), flags) == ("127.0.0.1", "80")
            with pytest.raises(socket.gaierror):
                await lookups.getaddrinfo("no-such-host.invalid", 80, flags=socket.AI_NUMERICHOST)

    asyncio.run(work())

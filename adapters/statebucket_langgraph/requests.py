"""A saver's requests to its store, independent of how the store waits.

A call of a saver is a generator that yields requests and receives their answers, so that one
definition serves the asynchronous and the blocking store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from statebucket import StateStore
    from statebucket.sync import BlockingStateStore

T = TypeVar("T")


class Request(NamedTuple):
    """A call of the store for one execution.

    Attributes:
        thread: The thread, whose execution is called.
        method: The name of the execution's call.
        args: Its arguments.
        options: Its keyword arguments.
    """

    thread: str
    method: str
    args: tuple[Any, ...]
    options: dict[str, Any]


Steps = Generator[list[Request], list[Any], T]


def request(thread: str, method: str, *args: Any, **options: Any) -> Request:  # noqa: ANN401
    """A call of an execution of the store."""
    return Request(thread, method, args, options)


def ask(thread: str, method: str, *args: Any, **options: Any) -> Steps[Any]:  # noqa: ANN401
    """Makes one request. The answer of a listing is a list."""
    answers = yield [Request(thread, method, args, options)]
    return answers[0]


def ask_all(requests: Sequence[Request]) -> Steps[list[Any]]:
    """Makes many requests, all at once where the store can.

    The first error is raised once every request has been answered or has failed.
    """
    return (yield list(requests)) if requests else []


def get_all(
    places: Iterable[tuple[str, str]],
) -> Steps[dict[tuple[str, str], bytes | None]]:
    """The values of keys of threads: 1 request for each, many at once.

    Args:
        places: The thread and the key of each.
    """
    threads: dict[str, list[str]] = {}
    for thread, key in places:
        threads.setdefault(thread, []).append(key)
    # A single request needs no event loop in a blocking store.
    asked = [
        request(thread, "get_many", keys) if len(keys) > 1 else request(thread, "get", keys[0])
        for thread, keys in threads.items()
    ]
    answers = yield from ask_all(asked)
    return {
        (thread, key): value
        for (thread, keys), answer in zip(threads.items(), answers, strict=True)
        for key, value in (answer if len(keys) > 1 else {keys[0]: answer}).items()
    }


async def answer(store: StateStore, steps: Steps[T]) -> T:
    """Carries out a saver's call on a store."""
    try:
        asked = next(steps)
        while True:
            try:
                answers = await _answers(store, asked)
            except Exception as error:  # noqa: BLE001  (the saver's call decides)
                asked = steps.throw(error)
            else:
                asked = steps.send(answers)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


async def _answers(store: StateStore, asked: list[Request]) -> list[Any]:
    if len(asked) == 1:
        return [await _answer(store, asked[0])]
    answers = await asyncio.gather(
        *(_answer(store, request) for request in asked), return_exceptions=True
    )
    for one in answers:
        if isinstance(one, BaseException):
            raise one
    return answers


async def _answer(store: StateStore, request: Request) -> Any:  # noqa: ANN401
    answered = _call(store, request)
    if isinstance(answered, AsyncIterator):
        return [item async for item in answered]
    return await answered


def answer_blocking(store: BlockingStateStore, steps: Steps[T]) -> T:
    """Carries out a saver's call on a blocking store, one request after the other."""
    try:
        asked = next(steps)
        while True:
            try:
                answers = [_answer_blocking(store, request) for request in asked]
            except Exception as error:  # noqa: BLE001  (the saver's call decides)
                asked = steps.throw(error)
            else:
                asked = steps.send(answers)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def _answer_blocking(store: BlockingStateStore, request: Request) -> Any:  # noqa: ANN401
    answered = _call(store, request)
    return list(answered) if isinstance(answered, Iterator) else answered


def _call(store: Any, request: Request) -> Any:  # noqa: ANN401  (either kind of store)
    execution = store.execution(request.thread, keep=True)  # a thread has no snapshot
    return getattr(execution, request.method)(*request.args, **request.options)

"""The checker itself: histories that are known to be good, and others known to be bad."""

from __future__ import annotations

import math
import random
from itertools import permutations

import pytest

from consistency.checker import ABSENT, ALWAYS, Operation, mixed_versions, order


def read(began: float, ended: float, token: int, version: str | None = None) -> Operation:
    return Operation(worker=0, kind="read", began=began, ended=ended, token=token, version=version)


def write(
    began: float, ended: float, token: int, condition: int = ALWAYS, *, refused: bool = False
) -> Operation:
    return Operation(
        worker=0,
        kind="write",
        began=began,
        ended=ended,
        token=token,
        condition=condition,
        refused=refused,
    )


def miss(began: float, ended: float, token: int) -> Operation:
    return Operation(worker=0, kind="miss", began=began, ended=ended, token=token)


def delete(began: float, ended: float) -> Operation:
    return Operation(worker=0, kind="delete", began=began, ended=ended)


GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "one after the other": [write(0, 1, 7), read(2, 3, 7), delete(4, 5), read(6, 7, ABSENT)],
    "a read beside a write sees the old": [write(0, 9, 7), read(1, 2, ABSENT)],
    "a read beside a write sees the new": [write(0, 9, 7), read(1, 2, 7)],
    "one create wins": [write(0, 9, 7, ABSENT), write(0, 9, 8, ABSENT, refused=True)],
    "a create after a delete": [
        write(0, 1, 7, ABSENT),
        delete(2, 9),
        write(3, 4, 8, ABSENT),
        read(10, 11, 8),
    ],
    "a replacement, and one too late": [
        write(0, 1, 7),
        write(2, 9, 8, 7),
        write(2, 9, 9, 7, refused=True),
    ],
    "reads that overlap may differ": [
        write(0, 1, 7),
        write(2, 9, 8),
        read(3, 4, 7),
        read(5, 6, 8),
    ],
    "an unknown write happens late": [
        write(0, 1, 7).forgotten(),
        read(2, 3, ABSENT),
        read(4, 5, 7),
    ],
    "an unknown write never happens": [write(0, 1, 7).forgotten(), read(2, 3, ABSENT)],
    "an unknown delete happens late": [
        write(0, 1, 7),
        delete(2, 3).forgotten(),
        read(4, 5, 7),
        read(6, 7, ABSENT),
    ],
    "a write sent twice has two effects": [
        write(0, 9, 7),
        *write(0, 9, 7).again(1),
        read(1, 2, 7),
        delete(3, 4),
        read(5, 6, ABSENT),
        read(10, 11, 7),
    ],
    "a conflict whose own write was replaced": [
        write(0, 1, 7),
        *write(2, 5, 8, 7).again(1),
        write(2, 3, 8, 7, refused=True),
        write(2, 3, 9),
        miss(4, 5, 8),
    ],
    "a version of a write sent twice may be the other one": [
        write(0, 9, 7),
        *write(0, 9, 7).again(1),
        write(10, 11, 8, 7, refused=True),
        read(12, 13, 7),
    ],
}
BAD: dict[str, list[Operation]] = {
    "a write that is lost": [write(0, 1, 7), read(2, 3, ABSENT)],
    "a value that was never written": [read(0, 1, 7)],
    "a stale read": [write(0, 1, 7), write(2, 3, 8), read(4, 5, 7)],
    "new and then old": [write(0, 1, 7), write(2, 9, 8), read(3, 4, 8), read(5, 6, 7)],
    "two creates win": [write(0, 9, 7, ABSENT), write(0, 9, 8, ABSENT)],
    "no create wins": [
        write(0, 9, 7, ABSENT, refused=True),
        write(0, 9, 8, ABSENT, refused=True),
    ],
    "two replacements win": [write(0, 1, 7), write(2, 9, 8, 7), write(2, 9, 9, 7)],
    "a refusal while it holds": [write(0, 1, 7), write(2, 3, 8, 7, refused=True)],
    "a refused write is there": [
        write(0, 1, 7),
        write(2, 3, 8, ABSENT, refused=True),
        read(4, 5, 8),
    ],
    "a delete removes what was written after it": [
        delete(0, 1),
        write(2, 3, 7),
        read(4, 5, ABSENT),
    ],
    "what was deleted is back": [write(0, 1, 7), delete(2, 3), read(4, 5, 7)],
    "an unknown write happens before it is called": [
        read(0, 1, 7),
        write(2, 3, 7).forgotten(),
    ],
    "an unknown write happens twice": [
        write(0, 1, 7).forgotten(),
        read(2, 3, 7),
        write(4, 5, 8),
        read(6, 7, 8),
        read(8, 9, 7),
    ],
    "an unknown create happens over another": [
        write(0, 1, 7),
        write(2, 3, 8, ABSENT).forgotten(),
        read(4, 5, 8),
    ],
    "a conflict while its own write stands": [
        write(0, 1, 7),
        *write(2, 5, 8, 7).again(1),
        write(2, 3, 8, 7, refused=True),
        miss(4, 5, 8),
    ],
    "a second effect after the answer": [
        write(0, 1, 7),
        *write(0, 1, 7).again(1),
        write(2, 3, 8),
        read(4, 5, 7),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_has_an_order(name: str) -> None:
    assert order(GOOD[name]) is not None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_has_none(name: str) -> None:
    assert order(BAD[name]) is None


def test_what_was_there_before_counts() -> None:
    assert order([read(0, 1, 7)], initial=7) is not None
    assert order([write(0, 1, 8, ABSENT)], initial=7) is None


def test_the_order_that_is_found_explains_each_operation() -> None:
    history = [write(0, 9, 7), write(1, 8, 8), read(2, 3, 8), read(4, 5, 7)]
    assert order(history) == [history[1], history[2], history[0], history[3]]


def test_the_order_of_the_list_does_not_matter() -> None:
    for name, history in (BAD | GOOD).items():
        for shuffled in list(permutations(history))[:24]:
            assert (order(list(shuffled)) is not None) == (name in GOOD)


def simulated(chance: random.Random) -> list[Operation]:
    """A history of a register that is right: each operation takes effect at one moment within."""
    history, state = [], ABSENT
    for number in range(1, 13):
        moment = float(number)
        span = (moment - chance.uniform(0, 3), moment + chance.uniform(0, 3))
        kind = chance.choice(("read", "write", "write", "delete"))
        if kind == "read":
            history.append(read(*span, state))
        elif kind == "delete":
            history.append(delete(*span))
            state = ABSENT
        else:
            condition = chance.choice((ALWAYS, ABSENT, state, number - 1 or 5))
            refused = condition not in {ALWAYS, state}
            history.append(write(*span, number, condition, refused=refused))
            state = state if refused else number
    return history


def test_histories_of_a_right_register_are_good_and_altered_ones_are_often_not() -> None:
    chance = random.Random(6)
    caught = 0
    for _ in range(300):
        history = simulated(chance)
        assert order(history) is not None
        # A read at the very end that finds what cannot be there any more.
        there = {op.token for op in history if op.kind == "write" and not op.refused}
        gone = [token for token in there if order([*history, read(99, 99.5, token)]) is None]
        caught += len(gone)
        assert order([*history, read(99, 99.5, 999)]) is None
    assert caught > 300


def test_a_version_stands_for_one_write() -> None:
    assert mixed_versions([read(0, 1, 7, "v"), read(2, 3, 7, "v"), read(2, 3, 8, "w")]) == []
    assert mixed_versions([read(0, 1, 7, "v"), read(2, 3, 8, "v")]) != []
    once = write(0, 1, 7)
    twice = [once, read(2, 3, 7, "v"), read(4, 5, 7, "w")]
    assert mixed_versions(twice) != []
    assert mixed_versions([*twice, *once.again(1)]) == []


def test_an_operation_without_an_end_is_not_waited_for() -> None:
    late = write(0, 1, 7).forgotten()
    assert late.ended == math.inf
    assert order([late, read(5, 6, ABSENT), write(7, 8, 9), read(9, 10, 7)]) is not None

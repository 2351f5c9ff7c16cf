"""The snapshot as a value: copied, immutable, advanced, and built in many threads at once."""

from __future__ import annotations

import copy
import sys
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from statebucket import (
    ExecutionId,
    ExecutionSnapshot,
    ExecutionState,
    StepId,
    TenantId,
    Waiting,
    WaitReason,
    errors,
)
from statebucket.testing.contract.base import snapshot
from support.values import Name

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_later_change_to_the_callers_dictionaries_does_not_reach_the_snapshot() -> None:
    inner = [1, {"deep": [2]}]
    variables: dict[str, Any] = {"list": inner}
    outputs: dict[str, Any] = {"step": {"a": 1}}
    built = snapshot(variables=variables, step_outputs=outputs)
    inner[1]["deep"].append(3)  # type: ignore[index]
    variables["new"] = 1
    outputs["step"]["a"] = 2
    assert built.variables == {"list": [1, {"deep": [2]}]}
    assert built.step_outputs == {"step": {"a": 1}}


def test_what_json_would_make_of_a_value_is_what_the_snapshot_holds() -> None:
    class Text(str):
        __slots__ = ()

    class Whole(int):
        pass

    built = snapshot(
        variables=OrderedDict(
            tuple=(1, (2, 3)), text=Text("a"), whole=Whole(4), mapping=OrderedDict(a=1)
        )
    )
    assert built.variables == {"tuple": [1, [2, 3]], "text": "a", "whole": 4, "mapping": {"a": 1}}
    assert repr(built.variables) == repr(ExecutionSnapshot.from_json(built.to_json()).variables)
    assert type(built.variables) is dict


def test_only_the_two_ids_must_be_given() -> None:
    before = datetime.now(UTC)
    built = ExecutionSnapshot(execution_id="e1", tenant_id="acme")
    assert before <= built.timestamp <= datetime.now(UTC)
    assert (built.state, built.sequence_number) == (ExecutionState.CREATED, 0)
    assert (built.user_id, built.current_step_id) == (None, None)
    assert (built.step_outputs, built.variables) == ({}, {})
    assert ExecutionSnapshot.from_json(built.to_json()) == built


def test_two_snapshots_share_no_default() -> None:
    one = ExecutionSnapshot(execution_id="e1", tenant_id="acme")
    one.variables["a"] = 1
    assert ExecutionSnapshot(execution_id="e1", tenant_id="acme").variables == {}


def test_what_was_changed_in_place_is_not_made_a_dict_of() -> None:
    built = snapshot(variables={"rows": []})
    built.variables["rows"].append({"a"})
    with pytest.raises(errors.InvalidSnapshot, match=r"variables\.rows\[0\] .*set"):
        built.to_dict()


def test_ids_are_built_from_plain_strings_and_read_as_their_own_types() -> None:
    # The type checker's test: the page's own examples pass strings.
    built = ExecutionSnapshot(
        execution_id="e1",
        tenant_id="acme",
        state=ExecutionState.RUNNING,
        sequence_number=1,
        user_id="u1",
        current_step_id="s1",
        step_outputs={StepId("s0"): 1},
    )
    execution: ExecutionId = built.execution_id
    tenant: TenantId = built.tenant_id
    assert (execution, tenant, built.user_id, built.current_step_id) == ("e1", "acme", "u1", "s1")


def test_ids_and_keys_may_be_of_a_subclass_of_str() -> None:
    built = snapshot(
        Name.ACME,
        Name.ACME,
        user_id=Name.ACME,
        current_step_id=Name.ACME,
        variables={Name.ACME: 1},
    )
    plain = snapshot(
        "acme",
        "acme",
        user_id="acme",
        current_step_id="acme",
        variables={"acme": 1},
        timestamp=built.timestamp,
    )
    assert built == plain
    assert built.to_json() == plain.to_json()
    assert {type(built.execution_id), type(built.tenant_id), type(built.user_id)} == {str}


class OtherLibrarys(datetime):
    """A subclass that keeps its type in arithmetic, as those of pandas, pendulum, freezegun do."""


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
def test_a_timestamp_of_another_librarys_class_can_be_saved(zone: tzinfo) -> None:
    moment = OtherLibrarys(2026, 11, 29, 4, 5, 6, 789, zone)
    built = snapshot(timestamp=moment)
    assert type(built.timestamp) is datetime
    assert built.timestamp == moment
    assert built.timestamp.tzinfo is UTC
    assert ExecutionSnapshot.from_json(built.to_json()) == built


def test_snapshots_can_be_saved_while_a_test_freezes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # Freezegun puts its own class into each module that has that of the standard library.
    monkeypatch.setattr("statebucket.contract.snapshot.datetime", OtherLibrarys)
    built = ExecutionSnapshot(execution_id="e1", tenant_id="acme")
    assert ExecutionSnapshot.from_json(built.advance().to_json()).sequence_number == 1


def test_a_timestamp_of_any_zone_is_kept_in_utc() -> None:
    read = ExecutionSnapshot.from_json(
        b'{"execution_id":"e","tenant_id":"t","state":"Paused","sequence_number":0,'
        b'"timestamp":"2026-11-22T01:30:00.5+02:30"}'
    )
    assert read.timestamp == datetime(2026, 11, 21, 23, 0, 0, 500_000, UTC)
    assert read.timestamp.tzinfo is UTC


@pytest.mark.parametrize(
    ("digits", "microsecond"),
    [("1", 100_000), ("123456", 123_456), ("1234564", 123_456), ("123456789", 123_457)],
)
def test_digits_beyond_microseconds_are_rounded(digits: str, microsecond: int) -> None:
    read = ExecutionSnapshot.from_json(
        b'{"execution_id":"e","tenant_id":"t","state":"Paused","sequence_number":0,'
        b'"timestamp":"2026-11-22T12:34:56.%sZ"}' % digits.encode()
    )
    assert read.timestamp == datetime(2026, 11, 22, 12, 34, 56, microsecond, UTC)


def test_an_array_is_refused_without_going_into_it() -> None:
    with pytest.raises(errors.InvalidSnapshot, match="Expected `object`, got `array`"):
        ExecutionSnapshot.from_json(b"[" * 100_000)


def test_fields_cannot_be_set() -> None:
    built = snapshot()
    with pytest.raises(AttributeError):
        built.sequence_number = 2  # type: ignore[misc]  # that is the point


def test_advance_gives_the_next_number_now_and_the_changes() -> None:
    first = snapshot(number=7, timestamp=datetime(2020, 1, 1, tzinfo=UTC), variables={"a": 1})
    before = datetime.now(UTC)
    second = first.advance(
        state=Waiting(WaitReason.EXTERNAL), current_step_id=StepId("s2"), variables={"b": 2}
    )
    assert second.sequence_number == 8
    assert before <= second.timestamp <= datetime.now(UTC)
    assert second.state == Waiting(WaitReason.EXTERNAL)
    assert (second.current_step_id, second.variables) == ("s2", {"a": 1, "b": 2})
    assert (second.execution_id, second.tenant_id) == (first.execution_id, first.tenant_id)
    assert (first.sequence_number, first.variables) == (7, {"a": 1})


def test_advance_merges_variables_and_step_outputs() -> None:
    first = snapshot(variables={"a": 1, "b": {"c": 2}}, step_outputs={"s1": 1})
    second = first.advance(variables={"b": {"d": 3}, "e": 4}, step_outputs={"s2": 2})
    assert second.variables == {"a": 1, "b": {"d": 3}, "e": 4}  # of one level
    assert second.step_outputs == {"s1": 1, "s2": 2}
    assert (first.variables, first.step_outputs) == ({"a": 1, "b": {"c": 2}}, {"s1": 1})
    assert second.advance().variables == second.variables
    assert second.advance(variables={}).variables == second.variables
    replaced = msgspec.structs.replace(second.advance(), variables={"only": 1})
    assert (replaced.variables, replaced.sequence_number) == ({"only": 1}, 3)
    with pytest.raises(errors.InvalidSnapshot, match="variables must be a dict"):
        first.advance(variables=[("a", 1)])


def test_advance_takes_another_number_and_moment() -> None:
    moment = datetime(2030, 5, 6, tzinfo=UTC)
    next_one = snapshot().advance(sequence_number=100, timestamp=moment)
    assert (next_one.sequence_number, next_one.timestamp) == (100, moment)


WRONG: list[dict[str, Any]] = [
    {"variables": {"a": float("nan")}},
    {"step_outputs": {"a": b"bytes"}},
    {"step_outputs": 3},
    {"tenant_id": ""},
    {"execution_id": ""},
    {"sequence_number": "7"},
    {"sequence_number": -1},
    {"timestamp": datetime(2026, 1, 2)},  # noqa: DTZ001  (which is the point)
    {"state": "Running"},
]
PATHS: dict[str, Any] = {
    "built": lambda fields: ExecutionSnapshot(**msgspec.structs.asdict(snapshot()) | fields),
    "advanced": lambda fields: snapshot().advance(**fields),
    "replaced": lambda fields: msgspec.structs.replace(snapshot(), **fields),
    "copied": lambda fields: vars(copy)["replace"](snapshot(), **fields),
}
if sys.version_info < (3, 13):
    del PATHS["copied"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fields", WRONG, ids=repr)
def test_every_way_to_a_snapshot_checks_it(path: str, fields: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidSnapshot, match=next(iter(fields))):
        PATHS[path](fields)


def test_every_way_to_a_waiting_state_checks_it() -> None:
    waiting: Any = Waiting(WaitReason.APPROVAL)
    with pytest.raises(errors.InvalidSnapshot):
        msgspec.structs.replace(waiting, reason="Approval")
    with pytest.raises(errors.InvalidSnapshot):
        Waiting("Approval")  # type: ignore[arg-type]


def test_advance_refuses_an_unknown_field_and_a_number_above_the_last() -> None:
    with pytest.raises(errors.InvalidSnapshot, match="no field 'stat'"):
        snapshot().advance(stat=ExecutionState.PAUSED)
    with pytest.raises(errors.InvalidSnapshot, match="sequence_number"):
        snapshot(number=2**64 - 1).advance()


@pytest.fixture
def _eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_eager_threads")
def test_reading_json_in_one_thread_lets_no_bad_snapshot_pass_in_another() -> None:
    data = snapshot(variables={str(n): n for n in range(20)}).to_json()
    stop = threading.Event()

    def read() -> int:
        count = 0
        while not stop.is_set():
            assert ExecutionSnapshot.from_json(data).sequence_number == 1
            count += 1
        return count

    def build() -> int:
        for _ in range(3000):
            with pytest.raises(errors.InvalidSnapshot):
                snapshot(variables={"bad": object()})
        return 3000

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            assert [future.result() for future in [pool.submit(build) for _ in range(2)]]
        finally:
            stop.set()
        assert all(future.result() for future in readers)


def test_after_json_that_cannot_be_read_values_are_checked_again() -> None:
    with pytest.raises(errors.InvalidSnapshot):
        ExecutionSnapshot.from_json(b"{")
    with pytest.raises(errors.InvalidSnapshot):
        snapshot(variables={"bad": object()})

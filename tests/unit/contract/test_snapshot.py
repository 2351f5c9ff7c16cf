"""The snapshot and its JSON, which matches serde's for the Rust struct of the same name."""

from __future__ import annotations

import gc
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebucket import ExecutionSnapshot, ExecutionState, Waiting, WaitReason, errors
from statebucket.testing.contract.base import snapshot
from support.values import Name

EXAMPLE = (Path(__file__).parent / "data" / "enact_snapshot.json").read_bytes()
STATES = ["Created", "Planning", "Running", "Paused", "Completed", "Failed", "Cancelled"]
REASONS = [
    "Approval",
    "UserInput",
    "RateLimit",
    "External",
    "Checkpoint",
    "CostThreshold",
    "MemoryPressure",
    "SubAgent",
]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def plain(**fields: object) -> bytes:
    """The least JSON of a snapshot, with these fields besides or instead."""
    least = {"execution_id": "e", "tenant_id": "t", "state": "Running", "sequence_number": 1}
    return json.dumps(least | fields).encode()


def test_the_example_keeps_every_value() -> None:
    loaded = ExecutionSnapshot.from_json(EXAMPLE)
    assert loaded.execution_id == "exec_01JD3V9Q8W6T4M2K0B5N7R1XZA"
    assert loaded.tenant_id == "tenant_acme"
    assert loaded.user_id == "usr_alice"
    assert loaded.state == Waiting(WaitReason.APPROVAL)
    assert loaded.current_step_id == "step_01JD3VA0E4Y7H2C9D8F6G5K3MN"
    assert loaded.sequence_number == 2**64 - 1
    assert loaded.timestamp == datetime(2026, 11, 22, 12, 34, 56, 123457, UTC)
    invoices = loaded.step_outputs["step_01JD3V9ZK2M4P6R8T0V2X4Z6B8"]
    assert repr(invoices[0]["total"]) == "1249.5"
    assert repr(invoices[1]["total"]) == "87"
    assert invoices[1]["note"] == "Café Zürich ☕"
    assert repr(loaded.variables["threshold"]) == "1000.0"
    assert loaded.variables["approved"] is None
    assert loaded.variables["nested"] == {"deep": {"er": True}}


def test_the_example_is_written_back_but_for_digits_beyond_microseconds() -> None:
    written = ExecutionSnapshot.from_json(EXAMPLE).to_json()
    assert written == EXAMPLE.rstrip().replace(b".123456789Z", b".123457Z")
    # Not only the same value: serde's form too, in the order of its fields, without white space.
    assert json.loads(written) == json.loads(EXAMPLE) | {"timestamp": "2026-11-22T12:34:56.123457Z"}


@pytest.mark.parametrize("name", STATES)
def test_a_state_is_its_name_in_json(name: str) -> None:
    loaded = ExecutionSnapshot.from_json(plain(state=name))
    assert loaded.state is ExecutionState(name)
    assert json.loads(loaded.to_json())["state"] == name


@pytest.mark.parametrize("name", REASONS)
def test_waiting_is_an_object_with_its_reason_in_json(name: str) -> None:
    loaded = ExecutionSnapshot.from_json(plain(state={"Waiting": name}))
    assert loaded.state == Waiting(WaitReason(name)) == ExecutionState.waiting(WaitReason(name))
    assert json.loads(loaded.to_json())["state"] == {"Waiting": name}


def test_there_are_no_other_states_and_reasons() -> None:
    assert [state.value for state in ExecutionState] == STATES
    assert [reason.value for reason in WaitReason] == REASONS


@pytest.mark.parametrize(
    ("state", "is_terminal", "can_resume", "is_active"),
    [
        (ExecutionState.CREATED, False, False, False),
        (ExecutionState.PLANNING, False, False, False),
        (ExecutionState.RUNNING, False, False, True),
        (ExecutionState.PAUSED, False, True, False),
        (ExecutionState.COMPLETED, True, False, False),
        (ExecutionState.FAILED, True, False, False),
        (ExecutionState.CANCELLED, True, False, False),
        *((Waiting(reason), False, True, True) for reason in WaitReason),
    ],
)
def test_what_a_state_allows(
    state: ExecutionState | Waiting,
    is_terminal: bool,  # noqa: FBT001  (a row of the table)
    can_resume: bool,  # noqa: FBT001
    is_active: bool,  # noqa: FBT001
) -> None:
    assert (state.is_terminal, state.can_resume, state.is_active) == (
        is_terminal,
        can_resume,
        is_active,
    )


def test_only_ids_state_and_number_must_be_given() -> None:
    before = datetime.now(UTC)
    loaded = ExecutionSnapshot.from_json(plain())
    assert before <= loaded.timestamp <= datetime.now(UTC)
    assert (loaded.user_id, loaded.current_step_id) == (None, None)
    assert (loaded.step_outputs, loaded.variables) == ({}, {})


def test_unknown_fields_are_ignored() -> None:
    loaded = ExecutionSnapshot.from_json(plain(later="format", variables={"a": 1}))
    assert loaded.variables == {"a": 1}
    assert "later" not in json.loads(loaded.to_json())


def _loop() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    return loop


BAD: list[tuple[str, Any]] = [
    *(("execution_id", bad) for bad in ("", "\ud800", None, 3, b"e", ["e"])),
    *(("tenant_id", bad) for bad in ("", "\udfff", None, 3, b"t")),
    *(("user_id", bad) for bad in ("\ud800", 3, b"u")),
    *(("current_step_id", bad) for bad in ("\ud800", 3, b"s")),
    *(("state", bad) for bad in ("Running", None, 1, WaitReason.APPROVAL, {"Waiting": "Approval"})),
    *(("sequence_number", bad) for bad in (-1, 2**64, 1.0, True, "1", None, 10**5000)),
    *(("timestamp", bad) for bad in (datetime(2026, 1, 1), None, "2026-01-01T00:00:00Z", 0)),  # noqa: DTZ001
    ("timestamp", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    ("timestamp", datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
    *(("step_outputs", bad) for bad in (None, [], [("a", 1)], "{}", {1: 2}, {"a": {None: 1}})),
    *(("variables", {"a": bad}) for bad in (math.nan, math.inf, -math.inf, b"b", {1}, object())),
    *(("variables", {"a": bad}) for bad in ("\ud800", {"\ud800": 1}, 1j, Name.ACME, 10**5000)),
    ("variables", _loop()),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: ascii(type(value).__name__))
def test_a_bad_field_is_refused_by_name_when_the_snapshot_is_built(field: str, value: Any) -> None:
    for build in (snapshot().advance, lambda **wrong: ExecutionSnapshot(**_fields() | wrong)):
        gc.collect()  # or a finalizer of what was left may run, and fail, deep in the loop
        with pytest.raises(errors.InvalidSnapshot, match=f"^{field}"):
            build(**{field: value})


def _fields() -> dict[str, Any]:
    return {
        "execution_id": "e",
        "tenant_id": "t",
        "state": ExecutionState.RUNNING,
        "sequence_number": 1,
    }


def test_waiting_without_a_reason_of_ours_is_refused() -> None:
    for reason in ("Approval", None, ExecutionState.RUNNING):
        with pytest.raises(errors.InvalidSnapshot, match="WaitReason"):
            Waiting(reason)  # type: ignore[arg-type]  # that is the point


BAD_JSON: list[tuple[str, object]] = [
    *(("execution_id", bad) for bad in ("", None, 1)),
    *(("tenant_id", bad) for bad in ("", None, ["t"])),
    *(
        ("state", bad)
        for bad in ("running", "", None, {"a": 1}, {"Waiting": "approval"}, ["Running"])
    ),
    *(("sequence_number", bad) for bad in (-1, 2**64, 1.5, "1", None, True)),
    *(("timestamp", bad) for bad in ("", "yesterday", "2026-01-01T00:00:00", 0, None)),
    ("timestamp", "0001-01-01T00:00:00+23:59"),
    ("timestamp", "9999-12-31T23:59:59-01:00"),
    *(("variables", bad) for bad in (None, [1], "{}")),
    *(("user_id", bad) for bad in (1, ["u"])),
]


@pytest.mark.parametrize(("field", "value"), BAD_JSON, ids=ascii)
def test_a_bad_field_is_refused_by_name_when_json_is_read(field: str, value: object) -> None:
    with pytest.raises(errors.InvalidSnapshot, match=f"not the JSON of a snapshot.*{field}"):
        ExecutionSnapshot.from_json(plain(**{field: value}))


@pytest.mark.parametrize("field", ["execution_id", "tenant_id", "state", "sequence_number"])
def test_a_missing_field_is_named(field: str) -> None:
    left = {name: value for name, value in json.loads(plain()).items() if name != field}
    with pytest.raises(errors.InvalidSnapshot, match=f"missing required field `{field}`"):
        ExecutionSnapshot.from_json(json.dumps(left))


@given(st.dictionaries(text, json_values, max_size=4), st.sampled_from([*STATES, *REASONS]))
def test_a_dict_of_it_is_what_its_json_reads_as(values: dict[str, Any], name: str) -> None:
    state = Waiting(WaitReason(name)) if name in REASONS else ExecutionState(name)
    built = snapshot(variables=values, step_outputs=values, state=state, user_id="u")
    fields = built.to_dict()
    assert repr(fields) == repr(json.loads(built.to_json()))
    fields["variables"]["added"] = 1
    assert built.variables == values


@given(st.dictionaries(text, json_values, max_size=4))
def test_any_json_value_round_trips(values: dict[str, Any]) -> None:
    first = snapshot(variables=values, step_outputs=values)
    again = ExecutionSnapshot.from_json(first.to_json())
    assert again == first
    # Equality takes 1, 1.0 and True for the same; their texts are not.
    assert repr(again.variables) == repr(again.step_outputs) == repr(values)
    assert again.to_json() == first.to_json()


@given(
    text.filter(bool).filter(lambda id_: ":" not in id_),
    text.filter(bool),
    st.none() | text,
    st.none() | text,
    st.integers(0, 2**64 - 1),
    st.datetimes(
        datetime(2, 1, 1),  # noqa: DTZ001  (Hypothesis adds the zone)
        datetime(9998, 12, 31),  # noqa: DTZ001
        timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    ),
)
def test_any_ids_numbers_and_moments_round_trip(
    execution_id: str, tenant: str, user: str | None, step: str | None, number: int, at: datetime
) -> None:
    first = snapshot(execution_id, tenant, number, user_id=user, current_step_id=step, timestamp=at)
    assert first.timestamp == at
    assert first.timestamp.tzinfo is UTC
    assert ExecutionSnapshot.from_json(first.to_json()) == first


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The example with a piece cut out, repeated or replaced."""
    start = draw(st.integers(0, len(EXAMPLE)))
    end = draw(st.integers(start, min(len(EXAMPLE), start + 40)))
    return EXAMPLE[:start] + draw(st.binary(max_size=8) | st.just(EXAMPLE[:end])) + EXAMPLE[end:]


@settings(max_examples=400)
@given(st.binary() | damaged() | json_values.map(lambda value: json.dumps(value).encode()))
def test_from_json_of_any_bytes_is_a_snapshot_or_a_typed_error(data: bytes) -> None:
    try:
        loaded = ExecutionSnapshot.from_json(data)
    except errors.InvalidSnapshot:
        return
    assert ExecutionSnapshot.from_json(loaded.to_json()) == loaded

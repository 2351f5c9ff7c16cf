"""Errors as values: which class a caller sees, and that they can be pickled."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from statebucket import DeletionReport, SweepReport, Version, errors, open_store
from statebucket.testing.contract.base import snapshot
from support.targets.local import MemoryTarget

REFUSED = errors.Throttled("slow down", object_name="a", retry_after=1.5)
MORE: dict[type[errors.StateBucketError], dict[str, Any]] = {
    errors.DeleteIncomplete: {"failures": {"a": REFUSED}, "report": DeletionReport(keys=3)},
    errors.SweepIncomplete: {"failures": {"a": REFUSED}, "report": SweepReport(removed=3)},
}
CLASSES = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, errors.StateBucketError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_can_be_sent_to_another_process(kind: type[errors.StateBucketError]) -> None:
    error = kind("told", **MORE.get(kind, {"object_name": "b", "outcome": "unknown"}))
    error.add_note("more")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert (str(again), again.args) == (str(error), error.args)
        # In an order that depends on which errors the process has made before.
        assert str(sorted(vars(again).items())) == str(sorted(vars(error).items()))


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("Access Denied", "Access Denied"),
        ("<Error>\r\n  <Code>X</Code>\n</Error>", "<Error> <Code>X</Code> </Error>"),
        (b"bytes \xff\n", "bytes \ufffd"),
        (bytearray(b"an array"), "an array"),
        (ValueError("an exception"), "an exception"),
        ("\x1b[2Jgone\x7f\x9b1m", "\\x1b[2Jgone\\x7f\\x9b1m"),
        ("safe\u202etxt.exe", "safe\\u202etxt.exe"),
        ("äöü 漢字 🙂", "äöü 漢字 🙂"),
        ("x" * 300, "x" * 300),
        ("x" * 5_000_000, "x" * 300 + "…"),
        ("\x1b" * 5_000_000, "\\x1b" * 75 + "…"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_a_service_says_is_quoted_short_on_one_line(said: object, quoted: str) -> None:
    assert errors.excerpt(said) == quoted


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x" * 5_000_000, f"'{'x' * 119}…"),
        (b"x" * 5_000_000, f"b'{'x' * 118}…"),
        (list(range(1000)), f"{str(list(range(1000)))[:120]}…"),
        (10**5000, "a value of type int"),
        ("it's", '"it\'s"'),
    ],
    ids=lambda value: repr(type(value))[:20],
)
def test_a_callers_value_is_shown_in_short(value: object, said: str) -> None:
    assert errors.shown(value) == said


def test_no_message_holds_a_character_that_a_terminal_or_a_log_acts_on() -> None:
    error = errors.Unavailable("one\ntwo \x1b[2J \u202e \x85 漢")
    assert error.message == error.args[0] == "one\\ntwo \\x1b[2J \\u202e \\x85 漢"
    assert str(error).isprintable()


@pytest.mark.asyncio
async def test_a_lost_race_is_of_the_public_class() -> None:
    async with open_store("memory://") as store:
        version = await store.save_snapshot(snapshot(), if_version=Version.ABSENT)
        await store.save_snapshot(snapshot(), if_version=version)
        for condition in (Version.ABSENT, version):
            with pytest.raises(errors.VersionConflict) as lost:
                await store.save_snapshot(snapshot(), if_version=condition)
            assert lost.type is errors.VersionConflict
            assert str(pickle.loads(pickle.dumps(lost.value))) == str(lost.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["expiresat", "format", "tail"])
async def test_metadata_of_any_length_is_cut_in_the_message(name: str) -> None:
    target = MemoryTarget()
    target.raw_put("shared/keys/k", b"v", {name: "\x1b\n" + "x" * 100_000})
    async with target.open() as store:
        with pytest.raises(errors.CorruptObject) as caught:
            await store.get("k")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["expiresat", "tail"])
@pytest.mark.parametrize("text", ["9" * 5000, "\u0663"], ids=["too long for int", "not ASCII"])
async def test_digits_that_no_store_writes_are_corrupt(name: str, text: str) -> None:
    target = MemoryTarget()
    target.raw_put("shared/keys/k", b"value", {name: text})
    async with target.open() as store:
        with pytest.raises(errors.CorruptObject):
            await store.get("k")


@pytest.mark.asyncio
async def test_a_stored_value_is_cut_in_the_message() -> None:
    async with open_store("memory://") as store:
        await store.set("k", b'{"' + b"x" * 100_000 + b'": [')
        with pytest.raises(errors.CorruptObject) as caught:
            await store.get_json("k", dict[str, int])
    assert len(str(caught.value)) < 500


class Unprintable:
    """A value whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    values: list[Any] = [Unprintable(), 10**5000]
    view = open_store("memory://").tenant("acme")
    for value in values:
        with pytest.raises(errors.InvalidArgument, match="a version token must be a string"):
            Version(value)
        with pytest.raises(errors.TenantMismatch, match="the call is for a value of type"):
            view.snapshot("e", tenant_id=value)

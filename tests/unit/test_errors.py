"""Errors as values: which class a caller sees, and that it can leave its process."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from statebucket import DeletionReport, SweepReport, Version, errors, open_store
from statebucket.testing.contract.base import snapshot

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
        assert str(vars(again)) == str(vars(error))


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

"""The rules that `statebucket lifecycle show` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.admin.bucket_rules import BucketRules, rules_of
from statebucket.port.lifecycle import Lifecycle, Rule
from statebucket_gcs.lifecycle import REMOVAL
from support.scripted_bucket import ScriptedBucket, fail, hang, opened
from support.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("_scripted")

THEIRS = Rule(prefixes=("logs/",), expiration_days=3)


class WithRules(ScriptedBucket):
    """A scripted bucket whose service has lifecycle rules."""

    removal = REMOVAL
    rule_root = ""

    async def read_lifecycle(self) -> Lifecycle:
        found: Lifecycle = await self._take("read_lifecycle", None, self._rules)
        return found

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        raise NotImplementedError

    async def _rules(self) -> Lifecycle:
        return Lifecycle(rules=(THEIRS,))


def test_a_service_that_is_busy_for_a_moment_is_asked_again() -> None:
    bucket = WithRules(fail(errors.Throttled), fail(errors.Unavailable))
    rules = run(rules_of(opened(bucket)))
    assert rules.found == (THEIRS,)
    assert bucket.operations == ["read_lifecycle"] * 3


def test_a_service_that_never_answers_ends_by_the_deadline() -> None:
    bucket = WithRules(always=hang)
    with pytest.raises(errors.DeadlineExceeded):
        run(rules_of(opened(bucket, deadline=5)))


def test_a_service_without_rules_gets_no_request() -> None:
    bucket = ScriptedBucket()
    assert run(rules_of(opened(bucket))) == BucketRules()
    assert bucket.operations == []

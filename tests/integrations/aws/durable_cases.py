"""Durable functions on AWS's local runner, with values in a bucket.

`test_durable` runs these tests, in the environment that has the runner; STATEBUCKET_URL says where
values go.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aws_durable_execution_sdk_python.config import (
    ChildConfig,
    Duration,
    MapConfig,
    ParallelConfig,
    StepConfig,
)
from aws_durable_execution_sdk_python.exceptions import RetryableSerDesError, SerDesError
from aws_durable_execution_sdk_python.execution import InvocationStatus, durable_execution
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.serdes import (
    EXTENDED_TYPES_SERDES,
    JsonSerDes,
    SerDesContext,
)
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent

from statebucket import errors
from statebucket.sync import BlockingStateStore, open_store
from statebucket_aws import StatebucketPersistenceLayer, StatebucketSerDes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST/durable-execution/order:7/1-2"
PLACE = SerDesContext("op-1", ARN)
MIB = 1 << 20
AWAY = "gs://bucket/x?engine=http&anonymous=true&endpoint_url=http://127.0.0.1:9&deadline=0.2"
SECOND = Duration.from_seconds(1)


@pytest.fixture
def store() -> Iterator[BlockingStateStore]:
    """A tenant of its own."""
    with open_store(os.environ["STATEBUCKET_URL"], deadline=30) as found:
        yield found.tenant(uuid4().hex)


class Run:
    """An execution that has ended.

    Attributes:
        arn: Its ARN.
        result: What the runner says of it.
        requests: How many requests it took.
    """

    def __init__(
        self, store: BlockingStateStore, handler: Callable[[Any, Any], Any], event: str = "{}"
    ) -> None:
        before = store.stats().requests
        with DurableFunctionTestRunner(durable_execution(handler), poll_interval=0.02) as runner:
            self.arn: str = runner.run_async(input=event, execution_timeout=60)
            self.result = runner.wait_for_result(self.arn, timeout=60)
        self.requests = store.stats().requests - before


def keys(store: BlockingStateStore, arn: str) -> list[str]:
    return list(store.execution(arn).iter_keys())


def test_a_megabyte_is_stored_once_and_read_once_in_a_replay(store: BlockingStateStore) -> None:
    config = StepConfig(serdes=StatebucketSerDes(store))
    ran: list[int] = []
    invocations: list[int] = []

    def fetch(_context: Any) -> dict[str, Any]:
        ran.append(1)
        return {"rows": "\U0001f600" * (MIB // 4), "id": uuid4()}

    def handler(_event: Any, context: Any) -> int:
        invocations.append(1)
        rows = context.step(fetch, name="fetch", config=config)["rows"]
        context.wait(SECOND, name="pause")
        return len(rows)

    run = Run(store, handler)
    assert run.result.status is InvocationStatus.SUCCEEDED
    assert run.result.result == str(MIB // 4)
    assert (len(ran), len(invocations)) == (1, 2)
    assert run.requests == 2
    assert len(run.result.get_step("fetch").result) < 200


def test_an_execution_that_is_removed_leaves_nothing(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store, over=10)

    def handler(_event: Any, context: Any) -> None:
        for number in range(3):
            context.step(lambda _, n=number: str(n) * 100, config=StepConfig(serdes=serdes))

    first, second = Run(store, handler), Run(store, handler)
    assert len(keys(store, first.arn)) == 3
    assert sorted(store.iter_executions()) == sorted([first.arn, second.arn])
    before = store.stats().requests
    report = store.execution(first.arn).delete()
    assert report.keys == 3
    assert store.stats().requests - before == 3
    assert keys(store, first.arn) == []
    assert len(keys(store, second.arn)) == 3


def test_without_a_tenant_an_execution_is_removed_as_well() -> None:
    with open_store(os.environ["STATEBUCKET_URL"], deadline=30) as shared:
        place = SerDesContext("op-1", f"{ARN}{uuid4()}")
        StatebucketSerDes(shared, over=0).serialize("value", place)
        before = shared.stats().requests
        assert shared.execution(place.durable_execution_arn).delete().keys == 1
        assert shared.stats().requests - before == 3


def test_a_sweep_of_orphans_leaves_a_running_execution_alone(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store, over=0)
    pointer = serdes.serialize("value", PLACE)
    store.execution("gone").set("k", b"an orphan")
    time.sleep(0.1)
    store.sweep(orphans=True, margin=0.05)
    assert list(store.iter_executions()) == [ARN]
    assert StatebucketSerDes(store).deserialize(pointer, PLACE) == "value"


def test_branches_and_items_at_a_time(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store, over=1000)
    ran: list[int] = []

    def item(context: Any, number: int, _index: int, _items: Any) -> str:
        def work(_context: Any) -> str:
            ran.append(number)
            return f"{number:04d}" * 1000

        return str(context.step(work, config=StepConfig(serdes=serdes)))

    def handler(_event: Any, context: Any) -> list[Any]:
        mapped = context.map(
            list(range(20)),
            item,
            config=MapConfig(max_concurrency=8, serdes=serdes, item_serdes=serdes),
        )
        branches = context.parallel(
            [lambda _context: "a" * 5000, lambda _context: "b" * 5000],
            config=ParallelConfig(serdes=serdes, item_serdes=serdes),
        )
        context.wait(SECOND)
        return [one[:4] for one in [*mapped.get_results(), *branches.get_results()]]

    run = Run(store, handler)
    assert run.result.status is InvocationStatus.SUCCEEDED, run.result.error
    items = "".join(f'"{number:04d}", ' for number in range(20))
    assert run.result.result == f'[{items}"aaaa", "bbbb"]'
    assert sorted(ran) == list(range(20))
    # Each item's step, the item, the list of items; each branch, and the list of branches.
    assert len(keys(store, run.arn)) == 20 + 20 + 1 + 2 + 1


def test_a_child_context_is_not_run_again(store: BlockingStateStore) -> None:
    config = ChildConfig(serdes=StatebucketSerDes(store))
    ran: list[int] = []

    def child(_context: Any) -> str:
        ran.append(1)
        return "x" * MIB

    def handler(_event: Any, context: Any) -> int:
        found = context.run_in_child_context(child, config=config)
        context.wait(SECOND)
        return len(found)

    run = Run(store, handler)
    assert run.result.result == str(MIB)
    # Without it, what is over 256 KiB is made again in each replay.
    assert len(ran) == 1


def test_a_condition_is_polled_with_large_states(store: BlockingStateStore) -> None:
    def poll(state: list[str], _context: Any) -> list[str]:
        return [*state, "x" * 2000]

    def wait(state: list[str], _attempt: int) -> WaitForConditionDecision:
        if len(state) == 3:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(SECOND)

    config = WaitForConditionConfig(
        wait_strategy=wait, initial_state=[], serdes=StatebucketSerDes(store, over=100)
    )
    run = Run(store, lambda _event, context: len(context.wait_for_condition(poll, config=config)))
    assert run.result.result == "3"
    assert len(keys(store, run.arn)) == 3


def test_a_step_is_tried_again_after_it_failed(store: BlockingStateStore) -> None:
    ran: list[int] = []

    def flaky(_context: Any) -> str:
        ran.append(1)
        if len(ran) < 3:
            raise ValueError("not yet")
        return "x" * 1000

    strategy = create_retry_strategy(RetryStrategyConfig(max_attempts=3))
    config = StepConfig(serdes=StatebucketSerDes(store, over=10), retry_strategy=strategy)
    run = Run(store, lambda _event, context: len(context.step(flaky, config=config)))
    assert run.result.result == "1000"
    assert len(keys(store, run.arn)) == 1


def test_an_idempotent_durable_function_runs_once(store: BlockingStateStore) -> None:
    layer = StatebucketPersistenceLayer(store)
    config = IdempotencyConfig(event_key_jmespath="order")
    charged: list[str] = []

    @idempotent(persistence_store=layer, config=config)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        step = StepConfig(serdes=StatebucketSerDes(store, over=10))
        context.step(lambda _context: charged.append(event["order"]), config=step)
        context.wait(SECOND)
        return {"charged": event["order"]}

    for _ in range(2):
        run = Run(store, handler, '{"order": "7"}')
        assert run.result.status is InvocationStatus.SUCCEEDED, run.result.error
        assert run.result.result == '{"charged": "7"}'
    assert charged == ["7"]


def test_the_bound_is_in_bytes_of_utf8(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store, over=100, serdes=Compact())
    for at_the_bound in ("x" * 98, "\u00e4" * 49):
        assert serdes.serialize(at_the_bound, PLACE) == f'"{at_the_bound}"'
    assert keys(store, ARN) == []
    for value in ("x" * 99, "\u00e4" * 50, "\ud83d" * 40):
        pointer = serdes.serialize(value, PLACE)
        assert pointer.startswith('{"statebucket":{"sha256":')
        assert StatebucketSerDes(store, serdes=Compact()).deserialize(pointer, PLACE) == value
    assert len(keys(store, ARN)) == 3


def test_a_small_value_is_as_without_it(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store)
    for value in (None, "text", 7, [1, 2], {"when": uuid4()}, ("a", b"b")):
        text = serdes.serialize(value, PLACE)
        assert text == EXTENDED_TYPES_SERDES.serialize(value, PLACE)
        assert serdes.deserialize(text, PLACE) == value
    assert keys(store, ARN) == []


def test_what_looks_like_a_pointer_is_stored(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store, serdes=JsonSerDes())
    value = {"statebucket": {"sha256": "0" * 64}}
    text = StatebucketSerDes(store, serdes=Compact()).serialize(value, PLACE)
    assert len(keys(store, ARN)) == 1
    assert serdes.deserialize(text, PLACE) == value


class Compact(JsonSerDes):  # type: ignore[misc]  # no SDK where types are checked
    """JSON without white space or escapes."""

    def serialize(self, value: Any, _: SerDesContext) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_an_earlier_value_of_an_operation_stays(store: BlockingStateStore) -> None:
    serdes = StatebucketSerDes(store, over=0)
    first = serdes.serialize("first", PLACE)
    serdes.serialize("second", PLACE)  # and dies before its checkpoint
    assert StatebucketSerDes(store).deserialize(first, PLACE) == "first"


@pytest.mark.parametrize(
    "other", [SerDesContext("op-2", ARN), SerDesContext("op-1", ARN.replace("order", "other"))]
)
def test_an_operation_reads_its_own_values_only(
    store: BlockingStateStore, other: SerDesContext
) -> None:
    serdes = StatebucketSerDes(store, over=0)
    pointer = serdes.serialize("mine", PLACE)
    with pytest.raises(SerDesError, match="no longer in the bucket"):
        serdes.deserialize(pointer, other)


def test_an_expired_value_is_an_error_that_says_so(store: BlockingStateStore) -> None:
    pointer = StatebucketSerDes(store, over=0, ttl=0.001).serialize("value", PLACE)
    with pytest.raises(SerDesError, match=r"operation op-1 of execution arn.*ttl has ended"):
        StatebucketSerDes(store).deserialize(pointer, PLACE)


def test_a_removed_value_fails_the_execution_and_says_so(store: BlockingStateStore) -> None:
    config = StepConfig(serdes=StatebucketSerDes(store, over=0))
    arns: list[str] = []

    def handler(_event: Any, context: Any) -> Any:
        # Not what this thread has at hand: as in another process.
        reading = StepConfig(serdes=StatebucketSerDes(store)) if arns else config
        found = context.step(lambda _context: "value", config=reading)
        arns.append(context.state.durable_execution_arn)
        if len(arns) == 1:
            store.execution(arns[0]).delete()
        context.wait(SECOND)
        return found

    run = Run(store, handler)
    assert run.result.status is InvocationStatus.FAILED
    assert "no longer in the bucket" in run.result.error.message


def test_a_service_that_is_away_has_the_invocation_tried_again(store: BlockingStateStore) -> None:
    pointer = StatebucketSerDes(store, over=0).serialize("value", PLACE)
    with open_store(AWAY) as away:
        with pytest.raises(RetryableSerDesError, match=r"could not be stored: ") as caught:
            StatebucketSerDes(away, over=0).serialize("value", PLACE)
        assert isinstance(caught.value.__cause__, errors.StateBucketError)
        with pytest.raises(RetryableSerDesError, match=r"could not be read: "):
            StatebucketSerDes(away).deserialize(pointer, PLACE)


def test_a_lasting_failure_is_the_steps(store: BlockingStateStore) -> None:
    with pytest.raises(SerDesError, match="InvalidKey") as caught:
        StatebucketSerDes(store, over=0).serialize("value", SerDesContext("x" * 2000, ARN))
    assert isinstance(caught.value.__cause__, errors.InvalidKey)


@pytest.mark.parametrize("text", ['{"statebucket":7}', '{"statebucket":{}}', '{"statebucket":'])
def test_a_broken_pointer_is_named(store: BlockingStateStore, text: str) -> None:
    with pytest.raises(SerDesError, match="begins like a pointer"):
        StatebucketSerDes(store).deserialize(text, PLACE)


@pytest.mark.parametrize("over", [-1, True, 1.5, "9", None])
def test_a_bound_that_is_none_is_refused(store: BlockingStateStore, over: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="over must be a number of bytes"):
        StatebucketSerDes(store, over=over)


@pytest.mark.parametrize("serdes", ["json", 5, json])
def test_a_serdes_that_is_none_is_refused(store: BlockingStateStore, serdes: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="serdes must be a SerDes"):
        StatebucketSerDes(store, serdes=serdes)


@pytest.mark.parametrize("ttl", [0, -1, "1"])
def test_a_ttl_that_is_none_is_refused(store: BlockingStateStore, ttl: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="ttl must be a positive"):
        StatebucketSerDes(store, ttl=ttl)


def test_another_kind_of_store_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"StatebucketSerDes takes a blocking store"):
        StatebucketSerDes("memory://")  # type: ignore[arg-type]

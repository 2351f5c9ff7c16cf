"""Powertools' idempotency on every service: one run for each key, even after failures."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from integrations.aws.orders import ORDER, Charges, Context, Died, Replayed, handler
from statebucket import errors
from statebucket_aws import StatebucketPersistenceLayer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

    from statebucket.sync import BlockingStateStore
    from support.targets.deployments import Deployment

STRICT = ["sqlite", "s3+http", "gcs+http", "azure+http"]
on_each_service = pytest.mark.parametrize("deployment", STRICT, indirect=True)
on_sqlite = pytest.mark.parametrize("deployment", ["sqlite"], indirect=True)
RECORD = "idempotency/test-func.integrations.aws.orders.handler.<locals>.handle#"


@pytest.fixture
def store(deployment: Deployment) -> Iterator[BlockingStateStore]:
    with deployment.blocking() as found:
        yield found


def record_key(store: BlockingStateStore) -> str:
    """The key of the only record."""
    (key,) = store.iter_keys()
    assert key.startswith(RECORD)
    return key


def test_a_repeated_call_gets_the_first_ones_answer(store: BlockingStateStore) -> None:
    charges = Charges()
    handle = handler(store, charges)
    assert handle(ORDER, Context()) == {"charged": 30, "receipt": 1}
    assert handle({**ORDER, "amount": 99}, Context()) == {"charged": 30, "receipt": 1}
    assert handle({**ORDER, "order": "8"}, Context()) == {"charged": 30, "receipt": 2}
    # In another process.
    assert handler(store, charges)(ORDER, Context()) == {"charged": 30, "receipt": 1}
    assert charges.done == 2


def test_a_tenant_has_records_of_its_own(store: BlockingStateStore) -> None:
    charges = Charges()
    for tenant in ("acme", "acme", "zenith"):
        handler(store.tenant(tenant), charges)(ORDER, Context())
    assert charges.done == 2
    assert record_key(store.tenant("acme")) == record_key(store.tenant("zenith"))
    assert list(store.iter_keys()) == []


def test_an_exception_is_the_callers_and_the_next_call_runs(store: BlockingStateStore) -> None:
    charges = Charges()

    def work(event: dict[str, Any]) -> dict[str, Any]:
        found = charges(event)
        if charges.done == 1:
            raise ValueError("the card was refused")
        return found

    handle = handler(store, work)
    with pytest.raises(ValueError, match="refused"):
        handle(ORDER, Context())
    assert list(store.iter_keys()) == []
    assert handle(ORDER, Context()) == {"charged": 30, "receipt": 2}
    assert handle(ORDER, Context()) == {"charged": 30, "receipt": 2}


def test_what_died_is_taken_over_once_its_time_is_up(store: BlockingStateStore) -> None:
    def dying(_event: dict[str, Any]) -> None:
        raise Died

    charges = Charges()
    with pytest.raises(Died):
        handler(store, dying)(ORDER, Context(60_000))
    with pytest.raises(IdempotencyAlreadyInProgressError, match="order"):
        handler(store, charges)(ORDER, Context())
    store.delete(record_key(store))
    with pytest.raises(Died):
        handler(store, dying)(ORDER, Context(0))
    time.sleep(0.01)
    assert handler(store, charges)(ORDER, Context()) == {"charged": 30, "receipt": 1}
    assert handler(store, charges)(ORDER, Context()) == {"charged": 30, "receipt": 1}


@pytest.mark.parametrize("left", [False, True], ids=["new", "left in progress"])
@on_each_service
def test_of_twenty_at_once_one_runs(store: BlockingStateStore, *, left: bool) -> None:
    charges = Charges()
    all_tried = threading.Barrier(20)

    def work(event: dict[str, Any]) -> dict[str, Any]:
        found = charges(event)
        all_tried.wait(60)  # whoever lost has come here
        return found

    def dying(_event: dict[str, Any]) -> None:
        raise Died

    if left:
        with pytest.raises(Died):
            handler(store, dying)(ORDER, Context(0))
        time.sleep(0.01)
    handle = handler(store.with_deadline(60), work)

    def call(_number: int) -> object:
        try:
            return handle(ORDER, Context(600_000))
        except IdempotencyAlreadyInProgressError:
            all_tried.wait(60)
            return None

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(20)))
    assert charges.done == 1
    assert [answer for answer in answers if answer] == [{"charged": 30, "receipt": 1}]


@on_each_service
@pytest.mark.parametrize("end", ["returns", "raises"])
def test_a_holder_that_is_late_overwrites_nothing(store: BlockingStateStore, end: str) -> None:
    charges = Charges()

    def taken_over(event: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.01)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(handler(store, charges), event, Context()).result()
        if end == "raises":
            raise ValueError("too late")
        return {"charged": 0}

    expected = ValueError if end == "raises" else IdempotencyPersistenceLayerError
    with pytest.raises(expected) as caught:
        handler(store, taken_over)(ORDER, Context(0))
    if end == "returns":
        assert isinstance(caught.value.__cause__, errors.VersionConflict)
    assert handler(store, charges)(ORDER, Context()) == {"charged": 30, "receipt": 1}
    assert charges.done == 1


@on_sqlite
def test_a_durable_functions_replay_that_is_late_overwrites_nothing(
    store: BlockingStateStore,
) -> None:
    def suspended(_event: dict[str, Any]) -> None:
        raise Died

    charges = Charges()

    def taken_over(event: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.5)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(handler(store, charges), event, Context()).result()
        return {"charged": 0}

    with pytest.raises(Died):
        handler(store, suspended)(ORDER, Context(400))
    with pytest.raises(IdempotencyPersistenceLayerError) as caught:
        handler(store, taken_over)(ORDER, Replayed(Context(0)))
    assert isinstance(caught.value.__cause__, errors.VersionConflict)
    assert handler(store, charges)(ORDER, Context()) == {"charged": 30, "receipt": 1}


def layer(store: BlockingStateStore) -> StatebucketPersistenceLayer:
    """A layer to call without a function, as another process has it."""
    made = StatebucketPersistenceLayer(store)
    made.configure(IdempotencyConfig(event_key_jmespath="order"), "f")
    return made


def stored(reader: StatebucketPersistenceLayer) -> DataRecord:
    """The record that a layer reads."""
    found = reader.get_record(ORDER)
    assert found is not None
    return found


@on_each_service
@pytest.mark.parametrize("end", ["returns", "raises"])
def test_a_record_that_was_only_read_is_written_at_the_version_that_was_read(
    store: BlockingStateStore, end: str
) -> None:
    layer(store).save_inprogress(ORDER, 60_000)
    reader = layer(store)
    assert stored(reader).status == "INPROGRESS"
    layer(store).save_success(ORDER, {"receipt": 1})
    if end == "returns":
        with pytest.raises(errors.VersionConflict):
            reader.save_success(ORDER, {"receipt": 2})
    else:
        reader.delete_record(ORDER, ValueError("too late"))
    assert stored(layer(store)).response_json_as_dict() == {"receipt": 1}


@on_sqlite
def test_a_record_that_was_neither_put_nor_read_is_overwritten_as_on_dynamodb(
    store: BlockingStateStore,
) -> None:
    layer(store).save_success(ORDER, {"receipt": 1})
    layer(store).save_success(ORDER, {"receipt": 2})
    assert stored(layer(store)).response_json_as_dict() == {"receipt": 2}
    layer(store).delete_record(ORDER, ValueError("no such order"))
    assert list(store.iter_keys()) == []


@on_each_service
def test_a_record_expires_when_powertools_says_so(deployment: Deployment) -> None:
    later = timedelta(0)
    charges = Charges()
    with deployment.blocking(clock=lambda: time.time() + later.total_seconds()) as store:
        handle = handler(store, charges, expires_after_seconds=120)
        handle(ORDER, Context())
        stored = store.get_json_stored(record_key(store))
        assert stored is not None
        assert stored.expires_at is not None
        end = datetime.fromtimestamp(stored.value["expiration"] + 1, stored.expires_at.tzinfo)
        assert abs(stored.expires_at - end) < timedelta(seconds=1)
        later = timedelta(seconds=110)
        handle(ORDER, Context())
        assert charges.done == 1
        later = timedelta(seconds=122)
        handle(ORDER, Context())
        assert charges.done == 2


@on_each_service
def test_a_function_that_outlives_its_record_keeps_its_answer(deployment: Deployment) -> None:
    later = timedelta(0)
    charges = Charges()

    def long(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal later
        later = timedelta(seconds=200)
        opened.sweep(margin=1)  # as the bucket's rules do
        return charges(event)

    with deployment.blocking(clock=lambda: time.time() + later.total_seconds()) as opened:
        handler(opened, long, expires_after_seconds=120)(ORDER, Context())
        handler(opened, charges, expires_after_seconds=120)(ORDER, Context())
    assert charges.done == 1


@on_sqlite
def test_a_record_that_expires_at_once_is_no_error(store: BlockingStateStore) -> None:
    charges = Charges()
    handle = handler(store, charges, expires_after_seconds=-5)
    assert handle(ORDER, Context())["receipt"] == 1
    time.sleep(0.01)
    assert handle(ORDER, Context())["receipt"] == 2


@on_each_service
def test_an_answer_may_have_megabytes(store: BlockingStateStore) -> None:
    rows = [f"row {number} \U0001f600" for number in range(250_000)]
    handle = handler(store, lambda _event: {"rows": rows})
    handle(ORDER, Context())
    assert handler(store, lambda _event: {})(ORDER, Context()) == {"rows": rows}
    stored = store.get_stored(record_key(store))
    assert stored is not None
    assert stored.size > 5_000_000


@on_sqlite
@pytest.mark.parametrize("answer", [None, "", 0, [], {"a": None}, "\ud83d"])
def test_an_answer_may_be_anything_json_holds(store: BlockingStateStore, answer: object) -> None:
    handle = handler(store, lambda _event: answer)
    assert handle(ORDER, Context()) == answer
    replayed = handle(ORDER, Context())
    # Powertools gives None for whatever is empty, on DynamoDB too.
    assert replayed == (answer or None)


@on_each_service
@pytest.mark.parametrize("cache", [False, True], ids=["", "local cache"])
def test_another_payload_under_the_same_key_is_refused(
    store: BlockingStateStore, *, cache: bool
) -> None:
    charges = Charges()
    options = {"payload_validation_jmespath": "amount", "use_local_cache": cache}
    handle = handler(store, charges, **options)
    handle(ORDER, Context())
    with pytest.raises(IdempotencyValidationError):
        handle({**ORDER, "amount": 99}, Context())
    with pytest.raises(IdempotencyValidationError):
        handler(store, charges, **options)({**ORDER, "amount": 99}, Context())
    assert handle(ORDER, Context())["receipt"] == 1
    assert charges.done == 1


@on_sqlite
def test_what_is_no_record_is_named(store: BlockingStateStore) -> None:
    charges = Charges()
    handle = handler(store, charges)
    handle(ORDER, Context())
    store.set_json(record_key(store), {"status": 7})
    with pytest.raises(IdempotencyPersistenceLayerError, match="Failed to get record") as caught:
        handle(ORDER, Context())
    assert isinstance(caught.value.__cause__, errors.CorruptObject)
    assert charges.done == 1

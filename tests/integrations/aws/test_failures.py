"""Refusals and lost replies of a service, as the caller of an idempotent function sees them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)

from integrations.aws.orders import ORDER, Charges, Context, Died, handler
from statebucket import errors
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import DropReply, HoldUntil, Pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket.sync import BlockingStateStore
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment

pytestmark = pytest.mark.parametrize("deployment", ["s3", "s3+http"], indirect=True)


@pytest.fixture
def store(deployment: Deployment, counted: FaultProxy) -> Iterator[BlockingStateStore]:
    with deployment.blocking(counted.url, deadline=30) as found:
        found.get("warm")
        yield found


def cause_of(error: BaseException) -> errors.StateBucketError:
    assert isinstance(error, IdempotencyPersistenceLayerError)
    assert isinstance(error.__cause__, errors.StateBucketError)
    assert str(error.__cause__) in str(error)
    return error.__cause__


def test_a_refusal_is_powertools_own_error(store: BlockingStateStore, counted: FaultProxy) -> None:
    charges = Charges()
    counted.plan(s3_error(403, "AccessDenied"))
    with pytest.raises(IdempotencyPersistenceLayerError, match="in progress record") as caught:
        handler(store, charges)(ORDER, Context())
    found = cause_of(caught.value)
    assert (type(found), found.outcome) == (errors.AccessDenied, "none")
    assert charges.done == 0


def test_an_answer_that_cannot_be_stored_is_an_error_and_does_not_run_again(
    store: BlockingStateStore, counted: FaultProxy
) -> None:
    charges = Charges()
    counted.plan(Pass(), s3_error(403, "AccessDenied"))
    with pytest.raises(IdempotencyPersistenceLayerError, match="success") as caught:
        handler(store, charges)(ORDER, Context())
    assert type(cause_of(caught.value)) is errors.AccessDenied
    with pytest.raises(IdempotencyAlreadyInProgressError):
        handler(store, charges)(ORDER, Context())
    assert charges.done == 1


def test_a_record_that_cannot_be_removed_is_an_error(
    store: BlockingStateStore, counted: FaultProxy
) -> None:
    def failing(_event: dict[str, Any]) -> None:
        raise ValueError("the card was refused")

    counted.plan(Pass(), s3_error(403, "AccessDenied"))
    with pytest.raises(IdempotencyPersistenceLayerError, match="delete record") as caught:
        handler(store, failing)(ORDER, Context())
    assert type(cause_of(caught.value)) is errors.AccessDenied
    with pytest.raises(IdempotencyAlreadyInProgressError):
        handler(store, failing)(ORDER, Context())


def test_a_service_that_is_away_says_whether_it_may_have_written(
    store: BlockingStateStore, counted: FaultProxy
) -> None:
    charges = Charges()
    counted.always(DropReply())
    with pytest.raises(IdempotencyPersistenceLayerError) as caught:
        handler(store.with_deadline(1), charges)(ORDER, Context())
    found = cause_of(caught.value)
    assert isinstance(found, errors.Unavailable | errors.DeadlineExceeded)
    assert found.outcome == "unknown"
    assert charges.done == 0


def test_of_two_that_take_over_one_runs(store: BlockingStateStore, counted: FaultProxy) -> None:
    def dying(_event: dict[str, Any]) -> None:
        raise Died

    charges = Charges()
    with pytest.raises(Died):
        handler(store, dying)(ORDER, Context(0))
    time.sleep(0.01)
    with ThreadPoolExecutor(1) as pool:
        counted.clear()
        over = threading.Event()
        # It has seen what was left, and writes.
        counted.plan(Pass(), Pass(), HoldUntil(over.is_set))
        late = pool.submit(handler(store, charges), ORDER, Context())
        counted.wait_for(lambda _: counted.count() == 3)
        assert handler(store, charges)(ORDER, Context())["receipt"] == 1
        assert not late.done()
        over.set()
        assert late.result()["receipt"] == 1
    assert charges.done == 1


@pytest.mark.parametrize("lost", [0, 1], ids=["create", "result"])
def test_a_lost_reply_is_not_taken_for_another_call(
    store: BlockingStateStore, counted: FaultProxy, lost: int
) -> None:
    charges = Charges()
    handle = handler(store, charges)
    counted.plan(*[Pass()] * lost, DropReply())
    assert handle(ORDER, Context())["receipt"] == 1
    assert counted.pending == ()
    assert handle(ORDER, Context())["receipt"] == 1
    assert charges.done == 1

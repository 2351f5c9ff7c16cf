"""Invalid replies to a batch delete: nothing counts as removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from support.fault_proxy.proxy import Answer, on

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.s3 import S3Target

pytestmark = pytest.mark.asyncio

REPLIES = {
    "another key": b"<DeleteResult><Error><Key>x</Key><Code>AccessDenied</Code></Error>"
    b"</DeleteResult>",
    "no key": b"<DeleteResult><Error><Code>AccessDenied</Code></Error></DeleteResult>",
    "another key, deleted": b"<DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>",
    "an empty error": b"<DeleteResult><Error/></DeleteResult>",
    "another document": b"<Other/>",
    "a page": b"<html><body>Log in</body></html>",
}


@pytest.mark.parametrize("reply", REPLIES)
async def test_what_a_batch_says_of_no_object_leaves_all_open(
    engine: S3Target, proxy: FaultProxy, reply: str
) -> None:
    name = "tenants/acme/executions/e1/k"
    engine.raw_put(name, b"v")
    proxy.always(
        Answer(200, (("Content-Type", "application/xml"),), REPLIES[reply], when=on("POST"))
    )
    async with engine.open() as store:
        await store.exists("warm")  # making a client takes time of its own
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.with_deadline(1.2).tenant("acme").delete_execution_state("e1")
    failure = caught.value.failures[engine.prefix + name]
    assert isinstance(failure, errors.Unavailable | errors.DeadlineExceeded)
    assert failure.outcome == "unknown"
    assert engine.raw_get(name) is not None


async def test_an_error_without_its_object_leaves_what_has_its_own_error(
    engine: S3Target, proxy: FaultProxy
) -> None:
    own, other = (f"tenants/acme/executions/e1/{key}" for key in "ab")
    engine.raw_put(own, b"v")
    engine.raw_put(other, b"v")
    said = f"<Error><Key>{engine.prefix}{own}</Key><Code>AccessDenied</Code></Error>"
    body = f"<DeleteResult>{said}<Error><Code>AccessDenied</Code></Error></DeleteResult>"
    proxy.always(
        Answer(200, (("Content-Type", "application/xml"),), body.encode(), when=on("POST"))
    )
    async with engine.open() as store:
        await store.exists("warm")  # making a client takes time of its own
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.with_deadline(1.2).tenant("acme").delete_execution_state("e1")
    failures = caught.value.failures
    assert isinstance(failures[engine.prefix + own], errors.AccessDenied)
    assert failures[engine.prefix + other].outcome == "unknown"


@pytest.mark.parametrize("code", ["KMS.ThrottlingException", "SlowDownRead", "SlowDownWrite"])
async def test_what_a_service_cannot_do_for_one_object_now_is_tried_again(
    engine: S3Target, proxy: FaultProxy, code: str
) -> None:
    names = [f"tenants/acme/executions/e1/{key}" for key in "ab"]
    for name in names:
        engine.raw_put(name, b"v")
    said = f"<Error><Key>{engine.prefix}{names[1]}</Key><Code>{code}</Code></Error>"
    body = f"<DeleteResult>{said}</DeleteResult>".encode()
    proxy.plan(Answer(200, (("Content-Type", "application/xml"),), body, when=on("POST")))
    async with engine.open() as store:
        await store.tenant("acme").delete_execution_state("e1")
    assert proxy.count("POST") == 2
    assert engine.raw_get(names[1]) is None

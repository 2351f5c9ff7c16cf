"""A batch delete that succeeds as a whole but contains failures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

import pytest

from faults.clouds import removal
from faults.server_marks import with_production
from statebucket import errors
from support.fault_proxy.messages import header
from support.fault_proxy.proxy import DropReply, Fault, Recorded, Reply, RewriteReply
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud
    from statebucket import StateStore

pytestmark = [pytest.mark.asyncio, with_production]

KEYS = "tenants/acme/executions/e1/"
STUBBORN = f"{KEYS}k2"
_S3 = {"throttled": "SlowDown", "failing": "InternalError", "forbidden": "AccessDenied"}
_GCS = {"throttled": 429, "failing": 503, "forbidden": 403}
_AZURE = {
    "throttled": "503 Server Busy\r\nx-ms-error-code: ServerBusy",
    "failing": "500 Internal Error\r\nx-ms-error-code: InternalError",
    "forbidden": "403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch",
}


@dataclass(frozen=True)
class PartlyRefused:
    """Makes a success of a batch a failure for one object, which is still there then.

    Attributes:
        cloud: The service.
        what: How it fails.
    """

    cloud: Cloud
    what: str

    def __call__(self, reply: Reply, request: Recorded) -> Reply:
        """Put the object back, and say that it could not be deleted."""
        if STUBBORN.encode() not in unquote_to_bytes(request.body):
            return reply  # it has gone with an earlier batch
        self.cloud.target.raw_put(STUBBORN, b"v")
        told = {"s3": self._s3, "gcs": self._gcs, "azure": self._azure}
        return told[self.cloud.service](reply, request)

    def _s3(self, reply: Reply, _: Recorded) -> Reply:
        name = self.cloud.target.prefix + STUBBORN
        code = _S3[self.what]
        error = f"<Error><Key>{name}</Key><Code>{code}</Code><Message>no</Message></Error>"
        body = reply.body.replace(f"<Deleted><Key>{name}</Key></Deleted>".encode(), b"")
        if b"</DeleteResult>" in body:
            body = body.replace(b"</DeleteResult>", f"{error}</DeleteResult>".encode())
        else:  # nothing to tell, in one tag
            start = body.index(b"<DeleteResult")
            tag = body[start:].replace(b"/>", f">{error}</DeleteResult>".encode(), 1)
            body = body[:start] + tag
        return replace(reply, body=body)

    def _gcs(self, reply: Reply, request: Recorded) -> Reply:
        boundary = (header(reply.headers, "Content-Type") or "").partition("boundary=")[2]
        parts = reply.body.split(f"--{boundary}".encode())
        place = self._place(request)
        parts[place + 1] = (
            b"\r\nContent-Type: application/http\r\nContent-ID: <response-%d>\r\n\r\n"
            b"HTTP/1.1 %d No\r\nContent-Type: application/json\r\n\r\n{}\r\n"
            % (place, _GCS[self.what])
        )
        return replace(reply, body=f"--{boundary}".encode().join(parts))

    def _place(self, request: Recorded) -> int:
        names = [line for line in request.body.split(b"\r\n") if line.startswith(b"DELETE ")]
        encoded = quote(STUBBORN, safe="") if self.cloud.service == "gcs" else STUBBORN
        return next(at for at, line in enumerate(names) if encoded.encode() in line)

    def _azure(self, reply: Reply, request: Recorded) -> Reply:
        place = self._place(request)
        start, *parts = reply.body.split(b"HTTP/1.1 202 Accepted\r\n")
        lines = [b"202 Accepted"] * len(parts)
        lines[place] = _AZURE[self.what].encode()
        answers = [b"HTTP/1.1 %s\r\n%s" % pair for pair in zip(lines, parts, strict=True)]
        return replace(reply, body=start + b"".join(answers))


def refused(cloud: Cloud, what: str) -> Fault:
    """A fault by which one object of a batch is not deleted."""
    return RewriteReply(PartlyRefused(cloud, what), when=removal)


async def filled(cloud: Cloud) -> StateStore:
    """A store that holds an execution with four keys."""
    store = cloud.open()
    await store.save_snapshot(snapshot(1))
    for number in range(4):
        cloud.target.raw_put(f"{KEYS}k{number}", b"v")
    return store


async def until_answered(cloud: Cloud) -> None:
    """Waits until the proxy is done with each request, also one whose caller has left.

    Until then an object may be gone from the server that the proxy is about to put back.
    """
    for _ in range(3000):
        if all(request.answered is not None for request in cloud.proxy.requests):
            return
        await asyncio.sleep(0.01)
    raise AssertionError


@pytest.mark.parametrize("what", ["throttled", "failing"])
async def test_what_failed_for_a_moment_is_deleted_in_the_end(cloud: Cloud, what: str) -> None:
    store = await filled(cloud)
    cloud.proxy.always(refused(cloud, what), times=2)
    report = await store.tenant(ACME).delete_execution_state(E1)
    assert (report.keys, report.owners) == (4, 1)
    assert cloud.target.raw_names() == []
    await store.shutdown()


@pytest.mark.parametrize("call", ["delete_execution_state", "delete_tenant"])
async def test_what_stays_is_named_and_the_next_run_finishes(cloud: Cloud, call: str) -> None:
    store = await filled(cloud)
    cloud.proxy.always(refused(cloud, "forbidden"))

    async def remove(store: StateStore) -> None:
        if call == "delete_tenant":
            await store.delete_tenant(ACME)
        else:
            await store.delete_execution_state(E1)

    with pytest.raises(errors.DeleteIncomplete) as caught:
        await remove(store)
    name = cloud.target.prefix + STUBBORN
    assert list(caught.value.failures) == [name]
    assert type(caught.value.failures[name]) is errors.AccessDenied
    assert name in str(caught.value)
    assert caught.value.report.keys == 3
    left = [STUBBORN] if call == "delete_tenant" else ["owners/e1/acme", STUBBORN]
    assert cloud.target.raw_names() == left
    await store.shutdown()

    cloud.proxy.heal()
    async with cloud.open() as another:
        await remove(another)
    assert cloud.target.raw_names() == []


async def test_what_stays_busy_is_named_by_the_deadline(cloud: Cloud) -> None:
    store = await filled(cloud)
    cloud.proxy.always(refused(cloud, "throttled"))
    with pytest.raises(errors.DeleteIncomplete) as caught:
        await store.with_deadline(2).tenant(ACME).delete_execution_state(E1)
    (failure,) = caught.value.failures.values()
    # On a busy machine the deadline may cut the last try off.
    cut_off = isinstance(failure, errors.DeadlineExceeded)
    assert isinstance(failure.__cause__ if cut_off else failure, errors.Throttled)
    await until_answered(cloud)
    assert cloud.target.raw_names() == ["owners/e1/acme", STUBBORN]
    await store.shutdown()


async def test_of_many_keys_those_that_stay_are_named(cloud: Cloud) -> None:
    store = await filled(cloud)
    keys = [f"exec:e1:k{number}" for number in range(4)]
    stubborn = "exec:e1:" + STUBBORN.rpartition("/")[2]
    cloud.proxy.always(refused(cloud, "forbidden"))
    with pytest.raises(errors.DeleteIncomplete, match=r"the key .* is still there") as caught:
        await store.tenant(ACME).delete_many(keys)
    assert list(caught.value.failures) == [stubborn]
    assert type(caught.value.failures[stubborn]) is errors.AccessDenied
    assert stubborn in str(caught.value)
    report = caught.value.report
    assert report.keys + report.unreported == 3
    cloud.proxy.heal()
    await store.tenant(ACME).delete_many(keys)
    assert not [name for name in cloud.target.raw_names() if name.startswith(KEYS)]
    await store.shutdown()


async def test_after_a_lost_reply_no_one_says_which_keys_were_there(cloud: Cloud) -> None:
    store = await filled(cloud)
    cloud.proxy.plan(DropReply(when=removal))
    report = await store.tenant(ACME).delete_many([f"exec:e1:k{number}" for number in range(4)])
    assert (report.keys, report.unreported) == (0, 4)
    await store.shutdown()

"""The same mistake gives the same error on every cloud, without any credentials in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from statebucket import StateStore, Version, errors
from support.fault_proxy.answers import azure_error, gcs_error, s3_error
from support.fault_proxy.proxy import FaultProxy
from support.targets.azure import AzureTarget, raw_container
from support.targets.gcs import GCSTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from statebucket.testing import Target
    from support.fault_proxy.kinds import Answer
    from support.servers import Server

SERVICES = ("s3", "s3+http", "gcs", "gcs+http", "azure", "azure+http")


LATER = 600
"""Seconds after which a service wants to be asked again: more than there is, so that it is not."""


class Mistake(NamedTuple):
    """What a service answers to one mistake, and the error that it must become."""

    error: type[errors.StateBucketError]
    outcome: str  # of a write that was answered so
    s3: Answer
    gcs: Answer
    azure: Answer


MISTAKES = {
    "missing bucket": Mistake(
        errors.BucketNotFound,
        "none",
        s3_error(404, "NoSuchBucket"),
        gcs_error(404, "notFound", "The specified bucket does not exist."),
        azure_error(404, "ContainerNotFound"),
    ),
    "forbidden": Mistake(
        errors.AccessDenied,
        "none",
        s3_error(403, "AccessDenied"),
        gcs_error(403, "forbidden", "x does not have storage.objects.create access."),
        azure_error(403, "AuthorizationPermissionMismatch"),
    ),
    "wrong key": Mistake(
        errors.InvalidCredentials,
        "none",
        s3_error(403, "SignatureDoesNotMatch"),
        gcs_error(401, "authError", "Invalid Credentials"),
        azure_error(403, "AuthenticationFailed"),
    ),
    "throttled": Mistake(
        errors.Throttled,
        "none",
        s3_error(503, "SlowDown", retry_after=LATER),
        gcs_error(429, "rateLimitExceeded", retry_after=LATER),
        azure_error(503, "ServerBusy", retry_after=LATER),
    ),
    "failing": Mistake(
        errors.Unavailable,
        "unknown",
        s3_error(500, "InternalError", retry_after=LATER),
        gcs_error(503, "backendError", retry_after=LATER),
        azure_error(500, "InternalError", retry_after=LATER),
    ),
    "kept": Mistake(  # by a retention policy or a hold
        errors.RequestRejected,
        "none",
        s3_error(403, "RetentionPolicyNotMet"),
        gcs_error(403, "retentionPolicyNotMet", "The object is subject to a retention policy."),
        azure_error(409, "BlobImmutableDueToPolicy"),
    ),
    "refused": Mistake(
        errors.RequestRejected,
        "none",
        s3_error(400, "InvalidRequest"),
        gcs_error(400, "invalid"),
        azure_error(400, "InvalidHeaderValue"),
    ),
}
FAILED_CONDITION = Mistake(
    errors.RequestRejected,
    "none",
    s3_error(412, "PreconditionFailed"),
    gcs_error(412, "conditionNotMet"),
    azure_error(412, "ConditionNotMet"),
)


class Cloud(NamedTuple):
    """A service behind a proxy."""

    service: str
    store: StateStore
    proxy: FaultProxy
    secret: str


@pytest.fixture
def tls() -> Literal["untrusted"] | None:
    """Whether the proxy speaks TLS."""
    return None


@pytest.fixture(params=SERVICES)
def cloud(
    request: pytest.FixtureRequest,
    moto: Server,
    fake: Server,
    azurite: Server,
    tls: Literal["untrusted"] | None,
) -> Iterator[Cloud]:
    """Each service in turn."""
    service: str = request.param
    name, _, engine = service.partition("+")
    server = {"s3": moto, "gcs": fake, "azure": azurite}[name]
    host = server.netloc if name == "gcs" else None
    with (
        raw_container(azurite) as raw,
        FaultProxy(server.host, server.port, rewrite_host=host, tls=tls) as proxy,
    ):
        kinds: dict[str, Callable[[], Target]] = {
            "s3": lambda: S3Target(moto, raw_client(moto), proxy, engine or "sdk"),
            "gcs": lambda: GCSTarget(fake.url, proxy, engine=engine or "sdk"),
            "azure": lambda: AzureTarget(azurite, raw, proxy, engine or "sdk"),
        }
        target = kinds[name]()
        yield Cloud(service, target.open(deadline=10), proxy, server.secret_key)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", MISTAKES)
async def test_one_mistake_one_error(cloud: Cloud, name: str) -> None:
    mistake = MISTAKES[name]
    await cloud.store.exists("warm")
    store = cloud.store.with_deadline(60)
    cloud.proxy.always(getattr(mistake, cloud.service.partition("+")[0]))
    calls: dict[str, tuple[Callable[[], Awaitable[object]], str]] = {
        "set": (lambda: store.set("k", b"v"), mistake.outcome),
        "create": (lambda: store.set("k", b"v", if_version=Version.ABSENT), mistake.outcome),
        "get": (lambda: store.get("k"), "none"),
        "list": (lambda: store.list_snapshots("acme"), "none"),
        "delete": (lambda: store.delete("k"), mistake.outcome),
    }
    results = await asyncio.gather(*(call() for call, _ in calls.values()), return_exceptions=True)
    seen = {}
    for (operation, (_, outcome)), error in zip(calls.items(), results, strict=True):
        assert isinstance(error, errors.StateBucketError), operation
        seen[operation] = (type(error), error.outcome == outcome)
        assert not cloud.secret or cloud.secret not in f"{error} {error!r} {error.__cause__}"
    await cloud.store.shutdown()
    assert seen == dict.fromkeys(calls, (mistake.error, True))


@pytest.mark.asyncio
async def test_a_condition_that_fails_though_none_was_sent(cloud: Cloud) -> None:
    await cloud.store.exists("warm")
    cloud.proxy.always(getattr(FAILED_CONDITION, cloud.service.partition("+")[0]))
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: cloud.store.set("k", b"v"),
        lambda: cloud.store.get("k"),
        lambda: cloud.store.exists("k"),
        lambda: cloud.store.delete("k"),
        lambda: cloud.store.list_snapshots("acme"),
        cloud.store.health_check,
    ]
    for call in calls:
        cloud.proxy.clear()
        with pytest.raises(errors.StateBucketError) as caught:
            await call()
        assert type(caught.value) is FAILED_CONDITION.error
        assert caught.value.outcome == FAILED_CONDITION.outcome
        assert cloud.proxy.count() == 1
    await cloud.store.shutdown()


@pytest.mark.asyncio
@pytest.mark.parametrize("tls", ["untrusted"])
async def test_a_certificate_that_no_one_vouches_for_is_told_at_once(cloud: Cloud) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: cloud.store.set("k", b"v"),
        lambda: cloud.store.get("k"),
        lambda: cloud.store.list_snapshots("acme"),
    ]
    for call in calls:
        with pytest.raises(errors.Unavailable, match="certificate") as caught:
            await call()
        assert type(caught.value) is errors.UntrustedCertificate
        assert (caught.value.outcome, caught.value.transient) == ("none", False)
    assert cloud.proxy.count() == 0
    assert cloud.store.stats().retries == 0
    await cloud.store.shutdown()


@pytest.mark.asyncio
async def test_a_lost_race_and_an_over_long_name(cloud: Cloud) -> None:
    version = await cloud.store.set("k", b"1")
    await cloud.store.set("k", b"2")
    for condition in (Version.ABSENT, version, Version("of nothing")):
        with pytest.raises(errors.VersionConflict) as caught:
            await cloud.store.set("k", b"3", if_version=condition)
        assert caught.value.outcome == "none"
    cloud.proxy.clear()
    with pytest.raises(errors.InvalidKey):
        await cloud.store.set("k" * 1100, b"v")
    assert cloud.proxy.count() == 0
    await cloud.store.shutdown()

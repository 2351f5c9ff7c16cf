"""Credentials that are wrong, expired or renewed during use, and missing buckets."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from botocore.exceptions import CredentialRetrievalError
from google.auth.credentials import Credentials
from google.cloud.storage import Client  # type: ignore[import-untyped]
from google.oauth2.credentials import Credentials as Token

from faults.server_marks import azure_only, every_cloud, gcs_only, s3_only, with_production
from statebucket import StateStore, errors, open_store
from support.fault_proxy.proxy import gcs_error
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from faults.clouds import Cloud

pytestmark = pytest.mark.asyncio

REFUSALS: dict[str, type[errors.StateBucketError]] = {
    "wrong key": errors.InvalidCredentials,
    "unknown key": errors.InvalidCredentials,
    "expired token": errors.InvalidCredentials,
    "clock skew": errors.InvalidCredentials,
    "forbidden": errors.AccessDenied,
    "missing bucket": errors.BucketNotFound,
}
CALLS: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "save_snapshot": lambda store: store.save_snapshot(snapshot(1)),
    "load_snapshot": lambda store: store.load_snapshot(E1),
    "set": lambda store: store.set("k", b"v"),
    "get": lambda store: store.get("k"),
    "delete": lambda store: store.delete("k"),
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "health_check": lambda store: store.health_check(),
}


@every_cloud
@pytest.mark.parametrize("what", REFUSALS)
async def test_a_refusal_is_told_at_once_and_once_only(cloud: Cloud, what: str) -> None:
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.always(cloud.says(what))
        for name, call in CALLS.items():
            cloud.proxy.clear()
            with pytest.raises(errors.StateBucketError) as caught:
                await call(store)
            assert type(caught.value) is REFUSALS[what], name
            assert caught.value.outcome == "none"
            assert cloud.proxy.count() == 1, name  # it is not tried again, nor looked into
        cloud.proxy.heal()
        await store.set("k", b"v")


@with_production
async def test_a_bucket_that_is_not_there_is_never_made(cloud: Cloud) -> None:
    missing = "statebucket-that-no-one-made"
    url = cloud.url.replace(f"://{cloud.container}/", f"://{missing}/")
    async with open_store(url, **cloud.options) as store:
        for name, call in CALLS.items():
            with pytest.raises(errors.BucketNotFound) as caught:
                await call(store)
            assert caught.value.outcome == "none", name
        with pytest.raises(errors.BucketNotFound):
            await store.delete_tenant(ACME)
        with pytest.raises(errors.BucketNotFound):
            await store.delete_execution_state(E1)
    assert cloud.proxy.requests
    for request in cloud.proxy.requests:
        path, _, query = request.target.partition("?")
        whole_bucket = path.rstrip("/").endswith(missing)
        assert not (whole_bucket and request.method in {"PUT", "HEAD"})
        assert "restype=container" not in query or "comp=" in query
        assert not (request.method == "POST" and path.endswith("/b"))


class Chain:
    """A chain of credentials as a program may write it: each key is good for one request."""

    def __init__(self) -> None:
        self.given = 0
        self.broken = False

    async def refresh(self) -> dict[str, str]:
        """Give the next key."""
        if self.broken:
            raise CredentialRetrievalError(provider="custom", error_msg="no network")
        self.given += 1
        soon = datetime.now(UTC) + timedelta(seconds=5)  # so soon that the SDK asks for another
        return {
            "access_key": f"KEY{self.given}",
            "secret_key": "not-shown-anywhere",
            "token": f"token-{self.given}",
            "expiry_time": soon.isoformat(),
        }


@s3_only
async def test_s3_keys_that_a_chain_renews_in_mid_use(cloud: Cloud) -> None:
    chain = Chain()
    session = AioSession()
    session._credentials = AioRefreshableCredentials.create_from_metadata(
        metadata=await chain.refresh(), refresh_using=chain.refresh, method="custom"
    )
    async with cloud.open(session=session) as store:
        await store.set("k", b"v")
        assert await store.get("k") == b"v"
        signed = [request.header("Authorization") or "" for request in cloud.proxy.requests]
        keys = [one.partition("Credential=")[2].partition("/")[0] for one in signed]
        assert len(set(keys)) == 2
        assert all(key.startswith("KEY") for key in keys)

        cloud.proxy.plan(cloud.says("expired token"))
        with pytest.raises(errors.InvalidCredentials) as caught:
            await store.set("k", b"w")
        assert caught.value.outcome == "none"
        await store.set("k", b"w")  # with the next key

        chain.broken = True
        # The SDK lives on its last key for as long as that is good.
        session._credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        with pytest.raises(errors.InvalidCredentials) as caught:
            await store.set("k", b"x")
        assert "not-shown-anywhere" not in f"{caught.value} {caught.value!r}"
        chain.broken = False
        await store.set("k", b"x")


def signature(cloud: Cloud, key: str) -> str:
    """A shared access signature for the container, by some key of the account."""
    return generate_container_sas(
        cloud.server.access_key,
        cloud.container,
        account_key=key,
        permission=ContainerSasPermissions.from_string("rwdlt"),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


@azure_only
async def test_an_azure_signature_that_is_rotated_in_mid_use(cloud: Cloud) -> None:
    right = signature(cloud, cloud.server.secret_key)
    wrong = signature(cloud, base64.b64encode(b"another key").decode())
    credential = AzureSasCredential(right)
    async with cloud.open(credential=credential) as store:
        await store.set("k", b"v")
        credential.update(wrong)
        for name in ("set", "get", "list_snapshots"):
            # Azurite calls it AuthorizationFailure, Azure AuthenticationFailed.
            with pytest.raises(errors.AccessDenied) as caught:
                await CALLS[name](store)
            assert caught.value.outcome == "none"
            assert "sig=" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
        credential.update(right)
        assert await store.get("k") == b"v"


class Expiring(Credentials):
    """A token that is past its time with each use, so that each request has another."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.given = 0

    def refresh(self, _request: object) -> None:
        self.given += 1
        self.token = f"secret-token-{self.given}"
        self.expiry = datetime.now(UTC).replace(tzinfo=None)  # as the SDK wants it


@gcs_only
async def test_a_google_token_that_expires_in_mid_use(cloud: Cloud) -> None:
    credentials = Expiring()
    client: Any = Client(
        "p", credentials=credentials, client_options={"api_endpoint": cloud.proxy.url}
    )
    url = cloud.url.partition("?")[0]
    async with open_store(url, client=client) as store:
        await store.set("k", b"v")
        assert await store.get("k") == b"v"
        sent = [request.header("Authorization") for request in cloud.proxy.requests]
        assert len(set(sent)) == 2
        cloud.proxy.clear()
        cloud.proxy.plan(gcs_error(401, "authError"))  # revoked before its time
        await store.set("k", b"w")
        assert cloud.proxy.count() == 2
        cloud.proxy.always(gcs_error(401, "authError"))
        with pytest.raises(errors.InvalidCredentials) as caught:
            await store.set("k", b"x")
        assert "secret-token" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    client.close()


def unsendable(cloud: Cloud) -> Iterator[StateStore]:
    """Stores whose keys or tokens hold what no header does."""
    if cloud.service == "azure":
        yield open_store(
            f"az://{cloud.container}/p",
            endpoint_url=f"{cloud.proxy.url}/devstoreaccount1",
            credential=AzureNamedKeyCredential("acc\nount", "aHVudGVyMg=="),
        )
    elif cloud.service == "gcs":
        where = {"api_endpoint": cloud.proxy.url}
        for token in ("secret-token-1\n", "secret-token-1€"):
            credentials = Token(token)  # type: ignore[no-untyped-call]
            client = Client("p", credentials=credentials, client_options=where)
            yield open_store(cloud.url.partition("?")[0], client=client)
    else:
        for keys in (("K\nEY", "hunter2"), ("KEY", "hunter2", "a\nb"), ("KEY", "hunter2\udc80")):
            session = AioSession()
            session.set_credentials(*keys)
            yield cloud.open(session=session)


@every_cloud
async def test_a_key_that_no_request_can_carry_is_told_at_once(cloud: Cloud) -> None:
    for unopened in unsendable(cloud):
        async with unopened as store:
            with pytest.raises(errors.InvalidCredentials) as caught:
                await store.set("k", b"v")
            assert caught.value.outcome == "none"
            assert store.stats().requests == 1
    assert cloud.proxy.requests == []


@s3_only
async def test_without_any_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    async with cloud.open() as store:
        with pytest.raises(errors.InvalidCredentials, match="AWS_ACCESS_KEY_ID"):
            await store.set("k", b"v")
    assert cloud.proxy.requests == []

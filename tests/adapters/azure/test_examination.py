"""What the doctor concludes from the replies of Azurite, and of Azure, played by a proxy."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from azure.core.credentials import AccessToken, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import generate_account_sas, generate_container_sas

from statebucket import open_store
from statebucket.admin.doctor import Examination
from statebucket_azure.sdk.identity import identity
from support.fault_proxy.proxy import Answer, FaultProxy, azure_error, on
from support.targets.azure import credential

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from statebucket.port.findings import Finding
    from support.servers import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("engine")]

XML = (("Content-Type", "application/xml"),)
ACCOUNT = on("GET", "restype=account")
SETTINGS = on("GET", "restype=service")
CONTAINER = on("GET", "restype=container", lambda request: "comp=" not in request.target)
CONTAINERS = on("GET", "comp=list", lambda request: "restype=container" not in request.target)
LOOKED_AT = on("GET", "include=versions")
SOFT_DELETE = """<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties>
<DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days></DeleteRetentionPolicy>
</StorageServiceProperties>"""
BLOB = """<Blob><Name>app/tenants/a</Name>{}<Properties><Etag>0x8D</Etag>
<Content-Length>2</Content-Length><BlobType>BlockBlob</BlobType>
<AccessTier>{}</AccessTier></Properties></Blob>"""
LIST = """<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c"><Blobs>
{}</Blobs><NextMarker/></EnumerationResults>"""


async def examined(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient, secret: Any = None, more: str = ""
) -> list[Finding]:
    where = azurite.via(proxy.url).account_url
    url = f"az://{raw.container_name}/app?endpoint_url={where}{more}"
    async with open_store(url, credential=secret or credential(azurite)) as store:
        return [one async for one in Examination(store).findings()]


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [one for one in findings if one.check == check]


def listed(blob: str, tier: str = "Hot") -> Answer:
    """A page of a listing as Azure words it."""
    headers = (*XML, ("Date", formatdate(usegmt=True)))
    return Answer(200, headers, LIST.format(BLOB.format(blob, tier)).encode(), when=LOOKED_AT)


async def test_azurite_is_looked_at_in_five_requests(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    raw.upload_blob("app/tenants/a", b"x")
    findings = await examined(azurite, proxy, raw)
    assert of(findings, "identity")[0].message.startswith(
        f"the key of account {azurite.access_key}"
    )
    assert "delete every container" in of(findings, "identity")[0].message
    assert [one.status for one in of(findings, "versions")] == ["ok", "ok"]
    assert of(findings, "account")[0].message == "StorageV2, Standard_RAGRS"
    assert of(findings, "public")[0].status == "ok"
    assert of(findings, "clock")[0].status == "ok"
    asked = (ACCOUNT, SETTINGS, CONTAINER, CONTAINERS, LOOKED_AT)
    assert [sum(map(one, proxy.requests)) for one in asked] == [1] * 5


@pytest.mark.parametrize(
    ("answer", "check", "status", "message", "remedy"),
    [
        (
            Answer(200, XML, SOFT_DELETE.encode(), when=SETTINGS),
            *("versions", "note", "for 7 days, and bills it", "--enable-delete-retention false"),
        ),
        (
            listed("<VersionId>2026-11-22T00:00:00.0000000Z</VersionId>"),
            *("versions", "note", "every save is kept", "--enable-versioning false"),
        ),
        (listed("", "Cool"), "place", "warning", "tier Cool", "--access-tier Hot"),
        (
            Answer(200, (*XML, ("x-ms-is-hns-enabled", "true")), when=ACCOUNT),
            *("account", "fault", "hierarchical namespace", "ttl_tags=false"),
        ),
        (
            Answer(200, (*XML, ("x-ms-account-kind", "Storage")), when=ACCOUNT),
            *("account", "fault", "kind Storage and takes no index tags", "ttl_tags=false"),
        ),
        (
            Answer(200, (*XML, ("x-ms-account-kind", "BlobStorage")), when=ACCOUNT),
            *("account", "fault", "kind BlobStorage", "ttl_tags=false"),
        ),
        (
            Answer(200, (*XML, ("x-ms-blob-public-access", "container")), when=CONTAINER),
            *("public", "warning", "anyone may read", "--public-access off"),
        ),
        (
            Answer(200, (*XML, ("x-ms-has-legal-hold", "true")), when=CONTAINER),
            *("retention", "fault", "a legal hold", "legal-hold clear"),
        ),
        (
            Answer(200, (*XML, ("x-ms-has-immutability-policy", "true")), when=CONTAINER),
            *("retention", "fault", "an immutability policy", "immutability-policy delete"),
        ),
    ],
)
async def test_a_setting_that_costs_or_hurts_is_found_with_what_fixes_it(
    azurite: Server,
    proxy: FaultProxy,
    raw: ContainerClient,
    *,
    answer: Answer,
    check: str,
    status: str,
    message: str,
    remedy: str,
) -> None:
    raw.upload_blob("app/tenants/a", b"x")
    proxy.always(answer)
    findings = await examined(azurite, proxy, raw)
    (found,) = [one for one in of(findings, check) if one.status != "ok"]
    assert found.status == status
    assert message in found.message
    assert remedy in str(found.remedy)


async def test_index_tags_are_no_fault_where_they_are_not_written(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    proxy.always(Answer(200, (*XML, ("x-ms-is-hns-enabled", "true")), when=ACCOUNT))
    findings = await examined(azurite, proxy, raw, more="&ttl_tags=false")
    assert of(findings, "account")[0].status == "ok"
    proxy.heal()
    proxy.always(Answer(200, (*XML, ("x-ms-account-kind", "Storage")), when=ACCOUNT))
    (found,) = of(await examined(azurite, proxy, raw, more="&ttl_tags=false"), "account")
    assert (found.status, "without lifecycle rules" in found.message) == ("warning", True)


async def test_the_modules_role_sees_little_and_that_is_said(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    for where in (ACCOUNT, SETTINGS, CONTAINER, CONTAINERS):
        proxy.always(azure_error(403, "AuthorizationPermissionMismatch", when=where))
    proxy.always(listed("<Deleted>true</Deleted>"))
    findings = await examined(azurite, proxy, raw)
    (unseen,) = of(findings, "settings")
    assert unseen.status == "unknown"
    assert "account kind, soft delete, public access and immutability" in unseen.message
    assert f"--account-name {azurite.access_key}" in str(unseen.remedy)
    # Soft delete shows all the same, where it holds something.
    assert any("soft delete is on" in one.message for one in of(findings, "versions"))
    assert of(findings, "clock")[0].status == "ok"


class Sas(NamedTuple):
    permission: str
    account: bool
    statuses: set[str]
    message: str


@pytest.mark.parametrize(
    "sas",
    [
        Sas("rwdlt", account=False, statuses=set(), message=""),
        Sas("racwdltf", account=False, statuses=set(), message=""),
        Sas("rl", account=False, statuses={"fault"}, message="w (write), d (delete), t (write"),
        Sas("rwdxltp", account=False, statuses={"warning"}, message="the SAS's rights p, x"),
        Sas("rwdlt", account=True, statuses={"warning"}, message="every container of the account"),
    ],
    ids=lambda sas: f"{sas.permission}-{sas.account}",
)
async def test_a_sas_tells_its_rights_and_shows_no_signature(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient, sas: Sas
) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    key = azurite.secret_key
    if sas.account:
        token = generate_account_sas(azurite.access_key, key, "sco", sas.permission, until)
    else:
        token = generate_container_sas(
            azurite.access_key, raw.container_name, key, permission=sas.permission, expiry=until
        )
    findings = await examined(azurite, proxy, raw, AzureSasCredential(token))
    assert f"until {until:%Y-%m-%d}" in of(findings, "identity")[0].message
    about = [one for one in of(findings, "rights") if "SAS" in one.message]
    assert {one.status for one in about} == sas.statuses
    assert sas.message in " ".join(one.message for one in about)
    others = [one for one in findings if "list the account's containers" in one.message]
    assert len(others) == sas.account
    signature = token.partition("sig=")[2].partition("&")[0]
    assert signature not in str(findings)


class Tokens:
    """A credential of azure-identity's kind."""

    def __init__(self, claims: dict[str, str] | None) -> None:
        self.claims = claims

    async def get_token(self, *_: str) -> AccessToken:
        if self.claims is None:
            raise ClientAuthenticationError("no owner")
        body = base64.urlsafe_b64encode(json.dumps(self.claims).encode()).decode().rstrip("=")
        return AccessToken(f"head.{body}.signature", 0)


MACHINE = {"oid": "o-1", "appid": "a-1", "xms_mirid": "/subscriptions/s/…/sites/function"}


@pytest.mark.parametrize(
    ("claims", "status", "message"),
    [
        (MACHINE, "ok", "object id o-1, application a-1, /subscriptions/s/…/sites/function"),
        (MACHINE | {"upn": "ann@example.com"}, "note", "ann@example.com (object id o-1"),
        (None, "unknown", "ClientAuthenticationError"),
    ],
)
async def test_a_token_tells_whose_it_is(
    claims: dict[str, str] | None, status: str, message: str
) -> None:
    (found,) = await identity(Tokens(claims), "https://a.blob.core.windows.net/c", tags=True)
    assert found.status == status
    assert message in found.message


async def test_a_url_without_a_signature_sends_no_credentials() -> None:
    (found,) = await identity(None, "https://a.blob.core.windows.net/c", tags=True)
    assert found.message == "no credentials are sent"

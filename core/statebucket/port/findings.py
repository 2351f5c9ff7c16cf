"""What an examination finds, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import msgspec

from statebucket import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

Status = Literal["ok", "note", "unknown", "warning", "fault"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an examination.

    Attributes:
        check: What was looked at: "reach", "identity", "rights", "lifecycle", "versions", "public",
            "clock", "latency", "sweep", and what else a service can be looked at for.
        status: "ok"; "note": good to know; "unknown": could not be found out; "warning": works,
            but should be mended; "fault": does not work.
        message: What is so.
        remedy: The command or Terraform line that mends it; empty where nothing needs to be.
    """

    check: str
    status: Status
    message: str
    remedy: str = ""


@runtime_checkable
class Examined(Protocol):
    """What an adapter may offer beside its `Bucket`, for ``statebucket doctor``."""

    async def examine(self, prefix: str) -> Sequence[Finding]:
        """Looks at the identity, the bucket's versioning and soft delete, and the clock.

        It only reads. What the identity has no right to see is a finding, not an error.

        Args:
            prefix: What the names of the store's objects, or of some of them, begin with: where
                the identity should be allowed to list.
        """
        ...


MODULES = {"s3": "terraform/aws", "gcs": "terraform/gcp", "azure": "terraform/azure"}
"""The Terraform module of each service."""

_RIGHTS = {
    "s3": "policy = module.state.runtime_policy_json",
    "gcs": 'runtime_members = { function = "serviceAccount:…" }',
    "azure": "runtime_principal_ids = { function = … }",
}
_TENANT_RIGHTS = {
    "s3": "policy = module.state.tenant_policy_json",
    "gcs": 'tenant_members = { … = { function = "serviceAccount:…" } }',
    "azure": "tenant_principal_ids = { … = { function = … } }",
}


def rights_line(service: str, *, tenant: bool = False) -> str:
    """The Terraform line that grants just the rights a store needs."""
    lines = _TENANT_RIGHTS if tenant else _RIGHTS
    if service not in lines:
        return "grant the rights to read, write, delete and list below the store's prefix"
    return f"{lines[service]}  # {MODULES[service]}"


# These answer 403 for a name that does not exist to whoever may not list there, whether or not
# reading it would be allowed.
_SILENT = {
    "s3": "aws iam simulate-principal-policy --policy-source-arn … --action-names s3:GetObject "
    "--resource-arns arn:…:s3:::…/elsewhere",
    "gcs": "gcloud policy-intelligence troubleshoot-policy iam "
    "//storage.googleapis.com/projects/_/buckets/…/objects/elsewhere --principal-email=… "
    "--permission=storage.objects.get",
}


def reads_unseen(service: str) -> str | None:
    """How to find out whether other names may be read, where a denied read does not tell it."""
    return _SILENT.get(service)


def remedy_of(error: errors.StateBucketError, service: str, *, tenant: bool = False) -> str:
    """What mends the cause of an error, in a store's or in a tenant's rights."""
    if isinstance(error, errors.InvalidCredentials):
        return {
            "s3": "aws sts get-caller-identity, then AWS_PROFILE or the function's role",
            "gcs": "gcloud auth application-default login, or the function's service account",
            "azure": "az login, or AZURE_STORAGE_CONNECTION_STRING",
        }.get(service, "check the credentials")
    if isinstance(error, errors.AccessDenied):
        if service == "sqlite":
            return "chmod u+rw on the file and its directory"
        return rights_line(service, tenant=tenant)
    if isinstance(error, errors.BucketNotFound):
        if service == "sqlite":
            return "mkdir the directory of the file"
        module = MODULES.get(service)
        return f'module "state" {{ source = "{module}" … }}' if module else "create the bucket"
    if isinstance(error, errors.CorruptObject):
        return "restore the file from a backup; statebucket copy makes one"
    if error.transient:
        return "check the network and endpoint_url; then statebucket health"
    return ""

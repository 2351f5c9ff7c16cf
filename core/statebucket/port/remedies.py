"""How a cloud's users fix problems that a store may have: each cloud supplies it as data."""

from __future__ import annotations

import msgspec

from statebucket import errors
from statebucket.contract.remedies import Remedy, TerraformLine

__all__ = ["Remedies", "Remedy", "TerraformLine"]


class Remedies(msgspec.Struct, frozen=True, kw_only=True):
    """How a cloud's users fix problems that every store may have. The defaults suit any service.

    Attributes:
        credentials: There are no credentials, or the service does not accept them.
        rights: The store's rights are missing, or too broad: grants only those that it needs.
        tenant_rights: The same for a tenant's view.
        bucket: The bucket does not exist.
        damaged: What is stored cannot be read.
        network: The service cannot be reached, or fails.
        settings: The right to read the bucket's settings and rules is missing, which only the
            doctor needs.
        absent: Reading a name that does not exist is denied although the store's rights are
            granted, so that no first load succeeds; None if the service never does that, or
            where ``rights`` already fix it.
        tenant_absent: The same for a tenant's view.
        listing: On this service a store's rights include listing outside its prefixes: how to
            narrow them. None if they do not.
        tenant_listing: How to narrow a tenant's right to list other tenants; None if
            ``tenant_rights`` do so.
        unseen_reads: How to find out whether names outside the store's prefixes may be read, on a
            service that always denies reading a name that does not exist; None if a denied read
            proves that they may not.
    """

    credentials: Remedy = Remedy(advice="check the credentials")
    rights: Remedy = Remedy(
        advice="grant the rights to read, write, delete and list below the store's prefix"
    )
    tenant_rights: Remedy = Remedy(
        advice="grant the rights to read, write, delete and list below the tenant's prefix"
    )
    bucket: Remedy = Remedy(advice="create the bucket")
    damaged: Remedy = Remedy(
        advice="restore it from a backup; this command makes backups",
        command="statebucket copy",
    )
    network: Remedy = Remedy(
        advice="check the network and endpoint_url", command="statebucket health"
    )
    settings: Remedy = Remedy(
        advice="run the doctor with the right to read the bucket's settings and rules"
    )
    absent: Remedy | None = None
    tenant_absent: Remedy | None = None
    listing: Remedy | None = None
    tenant_listing: Remedy | None = None
    unseen_reads: Remedy | None = None

    def of(self, error: errors.StateBucketError, *, tenant: bool = False) -> Remedy | None:
        """How to fix the cause of an error.

        Args:
            error: The error.
            tenant: Whether a tenant's view raised it.
        """
        if isinstance(error, errors.InvalidCredentials):
            return self.credentials
        if isinstance(error, errors.AccessDenied):
            return self.tenant_rights if tenant else self.rights
        if isinstance(error, errors.BucketNotFound):
            return self.bucket
        if isinstance(error, errors.CorruptObject):
            return self.damaged
        return self.network if error.transient else None

"""How to fix what was found, as values: each cloud brings its own as data.

A `Remedy` has a part for each kind of reader. A program shows it with `str`, which names the Python
call where there is one; the command line shows the command instead; in JSON each part stands by
itself.
"""

from __future__ import annotations

import msgspec

from statebucket import errors


class TerraformLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of Terraform that uses a module of the cloud.

    Attributes:
        module: Where the module is, as its ``source`` would be.
        line: The line; empty where using the module at all is the remedy.
    """

    module: str
    line: str = ""

    def __str__(self) -> str:
        if not self.line:
            return f'module "state" {{ source = "{self.module}" … }}'
        return f"{self.line}  # {self.module}"


class Remedy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to fix something. At least one part is set; with several, each alone is enough.

    Attributes:
        advice: What to do, for a person; with another part, what that part does.
        call: A call of the store, in Python.
        command: A shell command; beside ``call``, the one that does the same.
        terraform: A line of Terraform.
    """

    advice: str = ""
    call: str = ""
    command: str = ""
    terraform: TerraformLine | None = None

    def __str__(self) -> str:
        return self._text(self.call or self.command)

    @property
    def shell(self) -> str:
        """The text for a shell's user: with the command, not the call."""
        return self._text(self.command or self.call)

    def _text(self, action: str) -> str:
        line = "" if self.terraform is None else str(self.terraform)
        ways = "; or ".join(filter(None, (line, action)))
        return ": ".join(filter(None, (self.advice, ways)))


class Remedies(msgspec.Struct, frozen=True, kw_only=True):
    """How a cloud's users fix what every store may run into. The defaults suit any service.

    Attributes:
        credentials: There are no credentials, or the service does not accept them.
        rights: The store's rights are missing, or reach too far: grants just those it needs.
        tenant_rights: The same for a tenant's view.
        bucket: The bucket does not exist.
        damaged: What is stored cannot be read.
        network: The service cannot be reached, or fails.
        settings: The right to read the bucket's settings and rules is missing, which only an
            examination needs.
        absent: Reading a name that does not exist is denied although the store's rights are
            granted, so that no first load succeeds; None where the service never does that, or
            where ``rights`` include what it takes.
        listing: Listing outside the store's prefixes is among the rights that a store is granted
            on this service: how to narrow it. None where the service's rights do not include it.
        unseen_reads: How to find out whether names outside the store's prefixes may be read, on a
            service that denies a name that does not exist in any case; None where a denied read
            shows that they may not.
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
        advice="restore it from a backup, which this makes",
        command="statebucket copy",
    )
    network: Remedy = Remedy(
        advice="check the network and endpoint_url", command="statebucket health"
    )
    settings: Remedy = Remedy(
        advice="run the doctor with the right to read the bucket's settings and rules"
    )
    absent: Remedy | None = None
    listing: Remedy | None = None
    unseen_reads: Remedy | None = None

    def of(self, error: errors.StateBucketError, *, tenant: bool = False) -> Remedy | None:
        """How to fix the cause of an error.

        Args:
            error: The error.
            tenant: Whether it was raised by a tenant's view.
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

"""What offboarding by rule reports: `delete_tenant` with ``by="lifecycle"``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Stage = Literal["started", "removing", "done"]


class OffboardingReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far the bucket has come with removing a tenant by a lifecycle rule.

    Attributes:
        tenant_id: The tenant.
        stage: "started": the rule was written. "removing": the rule is there, and so is something
            of the tenant's. "done": nothing is left, its owner records and the rule included.
        rule: The rule's id or, where rules have none, the prefix that it is for; empty if there
            was none.
        done_after: When the rule applies to every object that existed when it was written, or, on
            services whose rules have no date, that exists now. The service removes them some time
            after that, without a guaranteed bound. None once it is done.
        owners: Owner records that this call has removed.
        module_input: Once it is done, on a bucket whose rules Terraform owns: what to take out of
            the module's input. Empty elsewhere.
    """

    tenant_id: str
    stage: Stage
    rule: str = ""
    done_after: datetime | None = None
    owners: int = 0
    module_input: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left of the tenant."""
        return self.stage == "done"

    def __str__(self) -> str:
        if self.done_after is not None:
            does = "removes" if self.stage == "started" else "is removing"
            return (
                f"a rule {does} tenant {self.tenant_id!r}: run this again after "
                f"{self.done_after:%Y-%m-%d %H:%M} UTC, and until it is done"
            )
        text = f"nothing is left of tenant {self.tenant_id!r}"
        if self.module_input:
            text += f"; take it out of the Terraform module's input: {self.module_input}"
        return text

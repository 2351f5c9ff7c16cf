"""What a check of lifecycle rules says."""

from __future__ import annotations

from typing import Literal

import msgspec

from statebucket.port.remedies import Remedy

Kind = Literal["missing", "wrong", "dangerous", "unknown", "note"]


class RuleFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know about a bucket's lifecycle rules.

    Attributes:
        kind: "missing": a rule that is needed is not there. "wrong": it is there, but shortened,
            lengthened, disabled, narrowed or at another prefix. "dangerous": a rule takes state
            away that has not expired. "unknown": the rules cannot be seen from here. "note":
            nothing is wrong.
        message: What is so.
        remedy: How to fix it; None where nothing needs to be.
        rule: The id of the rule it is about, if there is one.
        fixable: Whether ``apply_lifecycle(dry_run=False)`` fixes it, or, where Terraform owns the
            rules, its module does.
    """

    kind: Kind
    message: str
    remedy: Remedy | None = None
    rule: str = ""
    fixable: bool = False

    def __str__(self) -> str:
        text = f"{self.kind}: {self.message}"
        return text if self.remedy is None else f"{text}; {self.remedy}"


class LifecycleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `check_lifecycle` found.

    Attributes:
        findings: All findings, the dangerous ones first.
    """

    findings: tuple[RuleFinding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rules are known to be as they must be; notes aside, nothing was found."""
        return all(finding.kind == "note" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "the lifecycle rules are as they must be"

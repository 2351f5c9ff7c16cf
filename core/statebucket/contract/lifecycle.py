"""A bucket's lifecycle rules, what is wrong with them, and what would be changed.

What `check_lifecycle` and `apply_lifecycle` return.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from statebucket.contract.remedies import Remedy
from statebucket.contract.reports import Brief

Kind = Literal["missing", "wrong", "dangerous", "unknown", "note"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One lifecycle rule. The fields' names are those of the Terraform modules' rules.

    Attributes:
        id: Its id; empty if the service's rules have none.
        enabled: Whether the service applies it.
        prefixes: It applies to objects whose names begin with one of these.
        tags: It applies to objects that have all of these tags.
        narrowed: Whether it has further conditions, so that it applies to only some of them.
        expiration_days: Days after its write after which a current object is deleted; 0 if a
            date decides.
        expiration_date: The day from which it deletes current objects, whatever their age.
        before: It deletes only objects that were written, or have a custom time, before this day.
        custom_time_days: Days after its custom time, which is our expiry, after which an object is
            deleted.
        noncurrent_days: Days after which a version that is no longer current is deleted.
        expired_delete_markers: Whether delete markers with nothing behind them are removed.
        abort_uploads_days: Days after which an unfinished multipart upload is aborted.
        archives: Whether it moves current objects to an archive, where they cannot be read at once.
        raw: The service's own form of the rule, where it was read from the service.
    """

    id: str = ""
    enabled: bool = True
    prefixes: tuple[str, ...] = ("",)
    tags: dict[str, str] = {}
    narrowed: bool = False
    expiration_days: int | None = None
    expiration_date: str | None = None
    before: str | None = None
    custom_time_days: int | None = None
    noncurrent_days: int | None = None
    expired_delete_markers: bool = False
    abort_uploads_days: int | None = None
    archives: bool = False
    raw: Any = None

    @property
    def shown(self) -> str:
        """The rule's name in messages."""
        if self.id:
            return repr(self.id)
        return msgspec.json.encode(self.raw).decode()

    def plain(self) -> dict[str, Any]:
        """The rule in the Terraform modules' form, without fields that are not set."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


class RuleFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know about a bucket's lifecycle rules.

    Attributes:
        kind: "missing": a required rule does not exist. "wrong": it exists, but is shortened,
            lengthened, disabled, narrowed or has another prefix; or someone has changed a rule that
            removes a tenant. "dangerous": a rule removes state that has not expired. "unknown": the
            rules cannot be seen from here. "note": nothing is wrong.
        message: What was found.
        remedy: How to fix it; None if nothing needs to be.
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


class LifecycleReport(Brief, msgspec.Struct, frozen=True, kw_only=True):
    """What `check_lifecycle` found.

    Attributes:
        findings: All findings, the dangerous ones first.
    """

    findings: tuple[RuleFinding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rules are known to be correct: nothing was found except notes."""
        return all(finding.kind == "note" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "the lifecycle rules are correct"


class LifecyclePlan(Brief, msgspec.Struct, frozen=True, kw_only=True):
    """What `apply_lifecycle` changes, or would change.

    Attributes:
        applied: Whether the change was made.
        report: What `check_lifecycle` returned before the change.
        added: The rules that are written.
        removed: The rules of ours that they replace.
        kept: The foreign rules, which stay as they are.
        module_input: On a bucket whose rules Terraform owns: what to pass to the module instead.
    """

    applied: bool
    report: LifecycleReport
    added: tuple[Rule, ...] = ()
    removed: tuple[Rule, ...] = ()
    kept: tuple[Rule, ...] = ()
    module_input: str = ""

    @property
    def outcome(self) -> str:
        """The outcome of a plan that changes nothing, in a few words."""
        if any(finding.kind == "unknown" for finding in self.report.findings):
            return "nothing was written: statebucket cannot write this service's rules"
        return "nothing to change" if self.report.ok else "nothing was written"

    def __str__(self) -> str:
        lines = [str(self.report)]
        if self.module_input:
            lines += [
                "Terraform owns this bucket's rules and would undo a change: nothing is written.",
                self.module_input,
            ]
        elif self.added:
            lines += [f"- {rule.shown}" for rule in self.removed]
            lines += [f"+ {rule.plain()}" for rule in self.added]
            lines.append(f"{len(self.kept)} other rules stay as they are")
            lines.append("applied" if self.applied else "not applied: a dry run")
        else:
            lines.append(self.outcome)
        return "\n".join(lines)

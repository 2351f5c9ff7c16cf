"""Checks that a bucket's lifecycle rules do what TTLs need, and do not delete state early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.contract.lifecycle import Kind, LifecycleReport, RuleFinding
from statebucket.lifecycle.dangers import dangers
from statebucket.lifecycle.offboarding import offboardings
from statebucket.lifecycle.rules import is_ours, removes_expired, resembles_ours, rooted
from statebucket.port.lifecycle import ID, TERRAFORM_ID, per_prefix
from statebucket.port.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statebucket.lifecycle.rules import Scope
    from statebucket.port.lifecycle import Lifecycle, Rule, UnreadableRules

# The parts of a rule, and whether its days must be exact because TTLs end by them.
_PARTS = {
    "expiration_days": True,
    "custom_time_days": True,
    "noncurrent_days": False,
    "expired_delete_markers": False,
    "abort_uploads_days": False,
}
_DOES = {
    "expiration_days": "removes objects with a TTL of up to {days}",
    "custom_time_days": "removes expired objects",
    "noncurrent_days": "removes versions that are no longer current",
    "expired_delete_markers": "removes delete markers that hide no version",
    "abort_uploads_days": "aborts unfinished multipart uploads",
}
_APPLY = Remedy(call="apply_lifecycle(dry_run=False)", command="statebucket lifecycle apply")
_MODULE = Remedy(
    advice="apply the Terraform module, with the input that this prints",
    call="apply_lifecycle()",
    command="statebucket lifecycle apply --dry-run",
)
_FOREIGN = Remedy(advice="correct or remove that rule, which apply_lifecycle leaves alone")


def compare(needed: Sequence[Rule], found: Lifecycle, scope: Scope) -> LifecycleReport:
    """Compares the rules of a bucket with those that are needed.

    Args:
        needed: The rules that a store needs; see `statebucket.lifecycle.rules.needed_rules`.
        found: The rules that the bucket has.
        scope: The store's part of the bucket.
    """
    findings = list(dangers(found.rules, scope))
    reported = {finding.rule for finding in findings}
    for rule in needed:
        for part in _PARTS:
            if _does(rule, part):
                findings += _judged(rule, part, found, scope)
    findings += _lookalikes(found, scope)
    findings += (
        one for one in offboardings(found, scope) if one.rule not in reported or not one.rule
    )
    return LifecycleReport(findings=tuple(findings))


def unseen(
    needed: Sequence[Rule], why: UnreadableRules, scope: Scope, *, root: str = ""
) -> LifecycleReport:
    """The report for a service that does not show its rules to users of the bucket.

    Args:
        needed: The rules that a store needs.
        why: The adapter's reason.
        scope: The store's part of the bucket.
        root: What the service puts before prefixes; see `statebucket.port.lifecycle.LifecyclePort`.
    """
    needed, tag = rooted(needed, root), scope.removal.tag
    classes = [rule.tags[tag] for rule in needed if tag in rule.tags]
    others = [_outlined(rule) for rule in needed if tag not in rule.tags]
    by_class = f"one for each tag {tag}={', '.join(classes)}, deleting after as many days"
    listed = "; and ".join([by_class, *others] if classes else others)
    return LifecycleReport(
        findings=(
            RuleFinding(
                kind="unknown",
                message=f"{why.reason}, and apply_lifecycle cannot write them; below "
                f"{', '.join(needed[0].prefixes)} there must be {listed}",
                remedy=why.remedy,
            ),
        )
    )


def swept() -> LifecycleReport:
    """The report for a bucket on which no rule is needed."""
    return LifecycleReport(findings=(SWEPT,))


SWEPT = RuleFinding(
    kind="note",
    message="no rule removes expired objects here, only sweep() does: run it from time to time",
)


def _judged(needed: Rule, part: str, found: Lifecycle, scope: Scope) -> Iterator[RuleFinding]:
    """The findings about one part of a rule, one for all prefixes with the same problem."""
    said: dict[tuple[Kind, str, Remedy, bool], list[str]] = {}
    fix = _MODULE if found.terraform else _APPLY

    def theirs(rule: Rule) -> bool:
        return not found.terraform and not is_ours(rule, scope)

    for prefix in needed.prefixes:
        rules = found.rules
        by = _shortening(needed, part, prefix, rules)
        if by is not None and theirs(by):
            # No rule of ours can undo it, whether ours exists or not.
            said.setdefault(("wrong", _shortened(by, part), _FOREIGN, False), []).append(prefix)
            rules = tuple(rule for rule in rules if not theirs(rule))
        verdict = _verdict(needed, part, prefix, rules)
        if verdict is not None:
            said.setdefault((*verdict, fix, True), []).append(prefix)
    days = needed.expiration_days
    what = _DOES[part].format(days="a day" if days == 1 else f"{days} days")
    for (kind, text, remedy, fixable), prefixes in said.items():
        yield RuleFinding(
            kind=kind,
            rule=needed.id,
            message=f"the rule that {what} below {', '.join(prefixes)} {text}",
            remedy=remedy,
            fixable=fixable,
        )


def _shortening(needed: Rule, part: str, prefix: str, rules: Sequence[Rule]) -> Rule | None:
    """The rule that most shortens one part of a needed rule at one prefix."""
    acting = [
        rule
        for rule in rules
        if rule.enabled
        and _does(rule, part)
        and rule.tags == needed.tags
        and prefix.startswith(rule.prefixes)
    ]
    if not (acting and _PARTS[part]):
        return None
    soonest = min(acting, key=lambda rule: int(getattr(rule, part)))
    return soonest if getattr(soonest, part) < getattr(needed, part) else None


def _shortened(by: Rule, part: str) -> str:
    if by.expiration_date is not None:
        return f"is cut short from {by.expiration_date} on by {by.shown}"
    return f"is shortened to {getattr(by, part)} days by {by.shown}"


def _verdict(
    needed: Rule, part: str, prefix: str, rules: Sequence[Rule]
) -> tuple[Kind, str] | None:
    """What is wrong with one part of a needed rule at one prefix."""
    by = _shortening(needed, part, prefix, rules)
    if by is not None:
        return "wrong", _shortened(by, part)
    want = getattr(needed, part)
    alike = [rule for rule in rules if _does(rule, part) and rule.tags == needed.tags]
    here = [rule for rule in alike if prefix.startswith(rule.prefixes)]
    acting = [rule for rule in here if rule.enabled]
    whole = [rule for rule in acting if not rule.narrowed]
    if whole:
        soonest = min(whole, key=lambda rule: int(getattr(rule, part)))
        days = getattr(soonest, part)
        if _PARTS[part] and days > want:
            return "wrong", f"is lengthened to {days} days by {soonest.shown}"
        return None
    if acting:
        return "wrong", f"has further conditions in {acting[0].shown}"
    if here:
        return "wrong", f"is disabled: {here[0].shown}"
    moved = next((rule for rule in alike if rule.id and rule.id in _ids(needed, prefix)), None)
    if moved is not None:
        places = ", ".join(map(repr, moved.prefixes))
        return "wrong", f"is at another prefix, {places}: {moved.shown}"
    return "missing", "is missing"


def _does(rule: Rule, part: str) -> bool:
    value = getattr(rule, part)
    return value is not None and value is not False  # 0 days is a value


def _ids(needed: Rule, prefix: str) -> set[str]:
    """The ids that the rule for one prefix may have, written by us or by Terraform."""
    ours = {rule.id for rule in per_prefix(needed) if rule.prefixes == (prefix,)}
    return ours | {TERRAFORM_ID + name.removeprefix(ID) for name in ours}


def _lookalikes(found: Lifecycle, scope: Scope) -> Iterator[RuleFinding]:
    """Rules that differ from ours only in their days: they belong to someone else."""
    for rule in found.rules:
        if found.terraform or is_ours(rule, scope):
            continue
        # A rule by which TTLs end is reported as wrong if its days are.
        if not removes_expired(rule) and resembles_ours(rule, scope):
            yield RuleFinding(
                kind="note",
                message=f"{rule.shown} does what a rule of ours does, but after other days: it is "
                "taken for someone else's, and left as it is",
            )


def _outlined(rule: Rule) -> str:
    """A rule in a few words."""
    return "one with " + ", ".join(
        f"{name}={getattr(rule, name)}" for name in _PARTS if _does(rule, name)
    )

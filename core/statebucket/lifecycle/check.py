"""Whether a bucket's lifecycle rules do what TTLs need, and nothing that would lose state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from statebucket.lifecycle.rules import areas, is_ours, resembles_ours, rooted
from statebucket.port.expiry import TAG
from statebucket.port.lifecycle import ID, TERRAFORM_ID, per_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statebucket.port.lifecycle import Lifecycle, Rule
    from statebucket.store.layout import Layout

Kind = Literal["missing", "wrong", "dangerous", "unknown", "note"]

# The parts of a rule, and whether its days must be just those that are needed: TTLs end by them.
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
    "expired_delete_markers": "removes delete markers with nothing behind them",
    "abort_uploads_days": "aborts unfinished multipart uploads",
}
_APPLY = "apply_lifecycle(dry_run=False) mends it"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know about a bucket's lifecycle rules.

    Attributes:
        kind: "missing": a rule that is needed is not there. "wrong": it is there, but shortened,
            lengthened, disabled, narrowed or at another prefix. "dangerous": a rule takes state
            away that has not expired. "unknown": the rules cannot be seen from here. "note":
            nothing is wrong.
        message: What is so.
        remedy: What mends it; empty where nothing needs to be.
        rule: The id of the rule it is about, if there is one.
        mended: Whether ``apply_lifecycle(dry_run=False)`` mends it, or, where Terraform owns the
            rules, its module does.
    """

    kind: Kind
    message: str
    remedy: str = ""
    rule: str = ""
    mended: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" + (f"; {self.remedy}" if self.remedy else "")


class LifecycleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `check_lifecycle` found.

    Attributes:
        findings: All findings, the dangerous ones first.
    """

    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rules are known to be as they must be; notes aside, nothing was found."""
        return all(finding.kind == "note" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "the lifecycle rules are as they must be"


def compare(
    needed: Sequence[Rule], found: Lifecycle, names: Layout, *, owner_index: bool = True
) -> LifecycleReport:
    """Holds the rules of a bucket to those that are needed.

    Args:
        needed: What a store needs; see `statebucket.lifecycle.rules.needed_rules`.
        found: What the bucket has.
        names: The store's names.
        owner_index: Whether the store keeps owner records.
    """
    findings = list(_dangers(found.rules, areas(names, owner_index=owner_index)))
    for rule in needed:
        for part in _PARTS:
            if _does(rule, part):
                findings += _judged(rule, part, found, names, owner_index=owner_index)
    findings += _lookalikes(found, names, owner_index=owner_index)
    return LifecycleReport(findings=tuple(findings))


def unseen(needed: Sequence[Rule], service: str, *, root: str = "") -> LifecycleReport:
    """The report for a service that does not show its rules to those who use the bucket.

    Args:
        needed: What a store needs.
        service: The service's name.
        root: What prefixes begin with there; see `statebucket.port.lifecycle.LifecyclePort`.
    """
    needed = rooted(needed, root)
    classes = [rule.tags[TAG] for rule in needed if TAG in rule.tags]
    others = [_outlined(rule) for rule in needed if TAG not in rule.tags]
    by_class = f"one for each tag {TAG}={', '.join(classes)}, deleting after as many days"
    listed = "; ".join([by_class, *others] if classes else others)
    return LifecycleReport(
        findings=(
            Finding(
                kind="unknown",
                message=f"the rules of {service} cannot be seen through the bucket's own API; "
                f"below {', '.join(needed[0].prefixes)} there must be {listed}",
                remedy="compare them with what `statebucket lifecycle show` lists, or let "
                f"terraform/{service} keep them: apply_lifecycle cannot write there",
            ),
        )
    )


def swept() -> LifecycleReport:
    """The report for a bucket on which no rule is needed."""
    return LifecycleReport(findings=(SWEPT,))


SWEPT = Finding(
    kind="note",
    message="no rule removes expired objects here, only sweep() does: run it from time to time",
)


def _judged(
    needed: Rule, part: str, found: Lifecycle, names: Layout, *, owner_index: bool
) -> Iterator[Finding]:
    """What is to say about one part of a rule, once for all prefixes it is true of."""
    said: dict[tuple[Kind, str, str, bool], list[str]] = {}
    mend = "apply the Terraform module; apply_lifecycle() prints its input"
    mend = mend if found.terraform else _APPLY

    def theirs(rule: Rule) -> bool:
        return not found.terraform and not is_ours(rule, names, owner_index=owner_index)

    for prefix in needed.prefixes:
        rules = found.rules
        by = _shortening(needed, part, prefix, rules)
        if by is not None and theirs(by):
            # No rule of ours can undo it; whether ours is there is another question.
            remedy = "correct or remove that rule, which apply_lifecycle leaves alone"
            said.setdefault(("wrong", _shortened(by, part), remedy, False), []).append(prefix)
            rules = tuple(rule for rule in rules if not theirs(rule))
        verdict = _verdict(needed, part, prefix, rules)
        if verdict is not None:
            said.setdefault((*verdict, mend, True), []).append(prefix)
    days = needed.expiration_days
    what = _DOES[part].format(days="a day" if days == 1 else f"{days} days")
    for (kind, text, remedy, mended), prefixes in said.items():
        yield Finding(
            kind=kind,
            rule=needed.id,
            message=f"the rule that {what} below {', '.join(prefixes)} {text}",
            remedy=remedy,
            mended=mended,
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


def _dangers(rules: Sequence[Rule], ours: Sequence[str]) -> Iterator[Finding]:
    for rule in rules:
        reached = [
            area
            for area in ours
            if area.startswith(rule.prefixes) or any(p.startswith(area) for p in rule.prefixes)
        ]
        if not (rule.enabled and reached):
            continue
        remedy = f"remove {rule.shown} or give it a prefix that no state is below"
        if _takes_early(rule, reached):
            yield Finding(
                kind="dangerous",
                rule=rule.id,
                message=f"{rule.shown} deletes objects below {', '.join(reached)} {_from(rule)}, "
                "expired or not",
                remedy=remedy,
            )
        if rule.archives and set(rule.tags) <= {TAG}:
            yield Finding(
                kind="dangerous",
                rule=rule.id,
                message=f"{rule.shown} moves objects below {', '.join(reached)} to where they "
                "cannot be read at once",
                remedy=remedy,
            )


def _from(rule: Rule) -> str:
    """From when on a rule deletes."""
    if rule.expiration_date is not None:
        return f"from {rule.expiration_date} on"
    if rule.before is not None:
        return f"that are dated before {rule.before}"
    return f"from {rule.expiration_days} days after their write"


def _lookalikes(found: Lifecycle, names: Layout, *, owner_index: bool) -> Iterator[Finding]:
    """Rules that only their days tell from ours: they are somebody else's."""
    for rule in found.rules:
        if found.terraform or is_ours(rule, names, owner_index=owner_index):
            continue
        # A custom time with other days is found to be wrong.
        if rule.custom_time_days is None and resembles_ours(rule, names, owner_index=owner_index):
            yield Finding(
                kind="note",
                message=f"{rule.shown} does what a rule of ours does, after other days: taken for "
                "somebody else's, and left as it is",
            )


def _takes_early(rule: Rule, reached: Sequence[str]) -> bool:
    """Whether a rule deletes current objects of ours that have not expired, or never do."""
    if rule.expiration_days is None or rule.custom_time_days is not None:
        return False  # noncurrent versions and unfinished uploads are no state
    if not rule.tags:
        return True
    # No object of ours has another tag. One of our classes that is shortened for a whole area is
    # found to be wrong; one that is shortened for a part of an area is found here.
    days = rule.tags.get(TAG, "") if set(rule.tags) == {TAG} else ""
    if not days.isascii() or not days.isdecimal() or rule.expiration_days >= int(days):
        return False
    return not any(area.startswith(rule.prefixes) for area in reached)


def _outlined(rule: Rule) -> str:
    """One that no tag tells."""
    parts = [f"{name}={getattr(rule, name)}" for name in _PARTS if _does(rule, name)]
    return f"{rule.id.rpartition('-')[2]} ({', '.join(parts)})"

"""What reports show of themselves."""

from __future__ import annotations

from statebucket.admin import CopyReport, Inventory
from statebucket.admin.holdings import Holdings
from statebucket.contract.lifecycle import LifecycleReport, RuleFinding

LONG = 2_000


def test_the_repr_of_a_sum_of_copies_leaves_out_what_only_the_sum_needs() -> None:
    one = CopyReport(tenants=1, copied=2, names={"acme"})
    total = one + CopyReport(tenants=2, copied=1, names={"acme", "globex"})
    assert (total.tenants, total.copied) == (2, 3)
    for shown in (repr(total), repr(total.__rich_repr__())):
        assert "acme" not in shown
        assert "names" not in shown
    assert repr(CopyReport(copied=3)).startswith("CopyReport(total=0, tenants=0, tenant=None, ")


def test_the_repr_of_a_report_does_not_grow_with_the_store() -> None:
    names = [f"tenant-{at:05}" for at in range(LONG)]
    held = Inventory(tenants={name: Holdings(name=name, keys=at) for at, name in enumerate(names)})
    copied = CopyReport(
        failures=dict.fromkeys(names, "VersionConflict: gave up"), missing=tuple(names)
    )
    found = LifecycleReport(
        findings=tuple(RuleFinding(kind="note", message=name) for name in names)
    )
    for report in (held, copied, found):
        shown = repr(report)
        assert len(shown) < 1_500
        assert "tenant-00002" in shown
        assert "tenant-00003" not in shown
        assert f"… {LONG - 3:,} more" in shown


def test_a_short_report_is_shown_whole() -> None:
    held = Inventory(listed=1, tenants={"acme": Holdings(name="acme", keys=1)})
    assert repr(held.tenants) in repr(held)
    assert "more" not in repr(held)

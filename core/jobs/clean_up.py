"""Executions removed that no one has worked on for a while."""

from datetime import UTC, datetime, timedelta

from statebucket.sync import BlockingStateStore


def clean_up(tenant: BlockingStateStore, unused: timedelta) -> list[str]:
    """Removes executions that were last saved so long ago, with their keys; returns their ids."""
    before = datetime.now(UTC) - unused
    found = tenant.scan_snapshots()
    old = [one.id for one in found if one.modified_at is not None and one.modified_at < before]
    for execution_id in old:
        tenant.execution(execution_id).delete()
    tenant.sweep()
    return list(map(str, old))

"""An event that is delivered several times, and handled once."""

from collections.abc import Callable
from datetime import timedelta

from statebucket import Version, errors
from statebucket.sync import BlockingStateStore


def receive(tenant: BlockingStateStore, event_id: str, handle: Callable[[], None]) -> bool:
    """Whether the event has been handled: answer 200, else 503, so that it is sent again."""
    key, ttl = f"webhook:{event_id}", timedelta(minutes=5)
    try:
        claim = tenant.set(key, b"begun", ttl, if_version=Version.ABSENT, want_current=True)
    except errors.VersionConflict as lost:
        return lost.current is not None and lost.current.value == b"done"
    handle()
    tenant.set(key, b"done", ttl=timedelta(days=7), if_version=claim)
    return True

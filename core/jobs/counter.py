"""A number that many processes count up, exactly."""

from statebucket.sync import BlockingStateStore


def count(tenant: BlockingStateStore, name: str, by: int = 1) -> int:
    """Adds to a counter, and returns what it is then."""
    total: int = tenant.update_json(f"count:{name}", lambda number: (number or 0) + by)
    return total

"""What takes long on an S3 server is marked slow there; in memory and in SQLite it is quick."""

from __future__ import annotations

from pathlib import Path

import pytest

SERVERS = Path(__file__).with_name("test_s3.py")
# Thousands of objects, one request each to put them there.
MANY_OBJECTS = {
    "test_any_number_of_keys",
    "test_listings_go_over_several_pages",
    "test_listing_tenants",
    "test_more_tenants_than_a_page",
}


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them; the suite is shipped, and knows nothing of our marks."""
    for item in items:
        if item.path == SERVERS and getattr(item, "originalname", None) in MANY_OBJECTS:
            item.add_marker(pytest.mark.slow)

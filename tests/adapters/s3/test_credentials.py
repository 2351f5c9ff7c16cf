"""Keys of the SDK's chain that are renewed in mid-use."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from statebucket import open_store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from support.targets.s3 import S3Target


def keep_renewing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a profile whose keys end so soon that the SDK asks for others at each request."""
    keys = {
        "Version": 1,
        "AccessKeyId": "KEY",
        "SecretAccessKey": "hunter2",
        "SessionToken": "token",
        "Expiration": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
    }
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    config = tmp_path / "config"
    config.write_text(f"[profile short]\ncredential_process = cat {tmp_path / 'keys.json'}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "short")


def test_calls_that_wait_for_new_keys_do_so_in_each_event_loop(
    target: S3Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_renewing(tmp_path, monkeypatch)
    store = open_store(target.url)

    async def handler() -> None:
        assert await asyncio.gather(*map(store.get, "abcde")) == [None] * 5

    for _ in range(3):
        asyncio.run(handler())

"""Keys of the SDK's chain that are renewed in mid-use."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from statebucket import open_store
from support.warnings_guard import listening

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from support.targets.s3 import S3Target


def keep_renewing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 0) -> None:
    """Use a profile whose keys end so soon that the SDK asks for others at each request.

    Args:
        tmp_path: Where the profile goes.
        monkeypatch: Changes the environment.
        seconds: How long each renewal takes.
    """
    keys = {
        "Version": 1,
        "AccessKeyId": "KEY",
        "SecretAccessKey": "hunter2",
        "SessionToken": "token",
        "Expiration": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
    }
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    config = tmp_path / "config"
    program = tmp_path / "keys.sh"
    program.write_text(f"sleep {seconds}; cat {tmp_path / 'keys.json'}")
    config.write_text(f"[profile short]\ncredential_process = sh {program}\n")
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


def test_a_call_that_was_about_to_send_leaves_no_session_behind_after_a_shutdown(
    target: S3Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_renewing(tmp_path, monkeypatch, 0.3)
    store = open_store(target.url)

    async def handler() -> None:
        assert await store.get("a") is None
        call = asyncio.create_task(store.get("a"))
        await asyncio.sleep(0.1)  # it waits for keys
        await store.shutdown()
        assert await call is None
        await store.shutdown()

    with listening() as heard:
        asyncio.run(handler())
    assert heard == []

"""rclone's ``serve s3`` ignores every condition: the suite that we ship finds it unfit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.servers import Server

TESTS = Path(__file__).parents[2]

# As someone would run the suite on a service of their own.
SUITE = """
import os

import pytest

from statebucket.testing import StateStoreContract
from support.servers import Server
from support.targets.s3 import S3Target, raw_client

SERVER = Server(
    name="rclone",
    service="s3",
    url={url!r},
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    pid=0,
)


class TestService(StateStoreContract):
    @pytest.fixture
    def target(self):
        return S3Target(SERVER, raw_client(SERVER), engine={engine!r})
"""

CONDITIONS = {
    "test_absent_only_creates",
    "test_a_version_replaces_only_that_one",
    "test_of_twenty_creators_one_wins",
    "test_of_twenty_replacers_one_wins",
    "test_the_version_of_a_deleted_object_is_a_conflict",
    "test_a_late_holder_cannot_overwrite_its_successor",
}
WITHOUT_CONDITIONS = {
    "test_a_saved_snapshot_is_loaded_equal",
    "test_snapshots_are_listed_in_order_up_to_a_limit",
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sdk", "http"])
def test_the_contract_suite_finds_it_unfit(rclone: Server, engine: str, tmp_path: Path) -> None:
    suite = tmp_path / "test_service.py"
    suite.write_text(SUITE.format(url=rclone.url, engine=engine))
    chosen = " or ".join(CONDITIONS | WITHOUT_CONDITIONS)
    pytest_alone = [sys.executable, "-m", "pytest", "-rA", "--tb=no", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*pytest_alone, "--rootdir", str(tmp_path), "-k", chosen, str(suite)],
        env={**os.environ, **rclone.environ, "PYTHONPATH": str(TESTS)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    assert names("FAILED", ended.stdout) == CONDITIONS
    assert names("PASSED", ended.stdout) == WITHOUT_CONDITIONS


def names(outcome: str, said: str) -> set[str]:
    """The tests that ended so, without their parameters."""
    return set(re.findall(rf"^{outcome} .*::(\w+)", said, re.MULTILINE))

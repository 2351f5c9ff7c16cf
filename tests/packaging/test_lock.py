"""Everything that `make test` installs is pinned, with hashes, and matches pyproject.toml."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from support.wheel_environment import ROOT

LOCK = (ROOT / "tests" / "requirements.txt").read_text()
CHECK_LOCK = (ROOT / "tests" / "requirements-check.txt").read_text()
PIN = r"(?m)^([a-z0-9._-]+==[^ ;\\]+)"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("lock", "names"), [(LOCK, ["tools", "test"]), (CHECK_LOCK, ["check"])], ids=["test", "check"]
)
def test_every_pin_of_the_groups_is_in_the_lock(lock: str, names: list[str]) -> None:
    locked = set(re.findall(PIN, lock))
    groups = PROJECT["dependency-groups"]
    texts = [text for name in names for text in groups[name]]
    pins = [Requirement(text) for text in texts if isinstance(text, str)]  # not a group's name
    wanted = {f"{pin.name.lower()}{pin.specifier}" for pin in pins}
    assert wanted - locked == set(), "run `make lock`"


def test_every_extra_can_be_installed_from_the_lock() -> None:
    names = set(re.findall(r"(?m)^([a-z0-9._-]+)==", LOCK))
    extras = dict(PROJECT["project"]["optional-dependencies"])
    del extras["durable"]  # its boto3 is newer than the one of the others: see the group aws
    needed = {Requirement(text).name.lower() for texts in extras.values() for text in texts}
    assert needed - names - {"statebucket"} == set(), "run `make lock`"


def test_what_both_locks_have_is_the_same() -> None:
    versions = dict(pin.split("==") for pin in re.findall(PIN, LOCK))
    checked = dict(pin.split("==") for pin in re.findall(PIN, CHECK_LOCK))
    both = versions.keys() & checked.keys()
    assert {name: checked[name] for name in both} == {name: versions[name] for name in both}


@pytest.mark.parametrize("lock", [LOCK, CHECK_LOCK], ids=["test", "check"])
def test_every_file_has_a_hash_and_none_an_address(lock: str) -> None:
    blocks = re.split(r"(?m)^(?=[a-z0-9])", lock)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock

"""What `make test` installs is pinned, with hashes, and up to date with pyproject.toml."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement

from support.wheel_environment import ROOT

LOCK = (ROOT / "tests" / "requirements.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_pin_of_the_groups_is_in_the_lock() -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9._-]+==[^ ;\\]+)", LOCK))
    groups = PROJECT["dependency-groups"]
    texts = [text for name in ("tools", "test", "check") for text in groups[name]]
    pins = [Requirement(text) for text in texts if isinstance(text, str)]  # not a group's name
    wanted = {f"{pin.name.lower()}{pin.specifier}" for pin in pins}
    assert wanted - locked == set(), "run `make lock`"


def test_every_extra_can_be_installed_from_the_lock() -> None:
    names = set(re.findall(r"(?m)^([a-z0-9._-]+)==", LOCK))
    extras = dict(PROJECT["project"]["optional-dependencies"])
    del extras["durable"]  # its boto3 is newer than the one of the others: see the group aws
    needed = {Requirement(text).name.lower() for texts in extras.values() for text in texts}
    assert needed - names - {"statebucket"} == set(), "run `make lock`"


def test_every_file_has_a_hash_and_none_an_address() -> None:
    blocks = re.split(r"(?m)^(?=[a-z0-9])", LOCK)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK

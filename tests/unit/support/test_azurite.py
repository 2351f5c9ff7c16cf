"""Azurite's pins, and their installation, without npm."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.servers import azurite

PINS = Path(azurite.__file__).parent / "azurite"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to install to."""
    monkeypatch.setenv("STATEBUCKET_AZURITE_DIR", str(tmp_path / "azurite"))
    return tmp_path / "azurite"


def test_the_pins_name_versions_and_digests_and_no_host() -> None:
    packages = json.loads((PINS / "package-lock.json").read_text())["packages"]
    assert packages[""]["dependencies"] == {"azurite": "3.37.0"}
    assert packages["node_modules/azurite"]["version"] == "3.37.0"
    for name, package in packages.items():
        assert "resolved" not in package  # So that each developer's own registry serves it.
        assert name == "" or package["integrity"].startswith("sha512-")


def test_of_several_processes_one_installs(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Path] = []

    def slow(where: Path) -> None:
        runs.append(where)
        time.sleep(0.2)
        assert not azurite.installed()

    monkeypatch.setattr(azurite, "_npm_ci", slow)
    with ThreadPoolExecutor(4) as pool:  # The lock is one per opened file, threads or not.
        assert set(pool.map(lambda _: azurite.install(), range(4))) == {target}
    assert runs == [target]
    assert azurite.installed()


def test_an_installation_that_failed_is_done_again(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_where: Path) -> None:
        raise azurite.InstallFailed

    monkeypatch.setattr(azurite, "_npm_ci", fail)
    with pytest.raises(azurite.InstallFailed):
        azurite.install()
    assert not azurite.installed()
    monkeypatch.setattr(azurite, "_npm_ci", lambda _where: None)
    azurite.install()
    assert azurite.installed()
    assert target.is_dir()


def test_other_pins_are_installed_again(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azurite, "_npm_ci", lambda _where: None)
    azurite.install()
    (target / ".installed").write_text("those of yesterday")
    assert not azurite.installed()


def test_npm_s_own_words_are_reported(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = ("/bin/sh", "-c", "echo the registry is gone >&2; exit 7", "npm")
    monkeypatch.setattr(azurite, "_find_node", lambda: azurite._Node(("/bin/sh",), node))
    with pytest.raises(azurite.InstallFailed, match=r"(?s)with 7.*the registry is gone"):
        azurite.install()
    assert (target / "package-lock.json").exists()


def test_what_azurite_never_loads_is_removed(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ["azurite/main.js", "@azure/ms-rest-js/index.js"]
    files = [*kept, "azurite/main.js.map", "azurite/main.d.ts", "@azure/msal-node/index.js"]
    files += ["lokijs/presentations/loki.png", "qs/test/parse.js"]

    def write(where: Path) -> None:
        for name in files:
            path = where / "node_modules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    monkeypatch.setattr(azurite, "_npm_ci", write)
    azurite.install()
    modules = target / "node_modules"
    left = {str(path.relative_to(modules)) for path in modules.rglob("*") if path.is_file()}
    assert left == set(kept)

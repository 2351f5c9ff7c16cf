"""Every argument and option of every command, with what it cannot be, gives one JSON document.

The commands are found by inspection, so a new one, or a new option, is tried as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer

from statebucket.cli.commands import app
from statebucket.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.command_line import Result

NONSENSE = ["", "-1", "9" * 30, "a\udcffb", "x" * 5000]
MOST = 1000
"""The most characters of an error's message, whatever the value."""
REQUIRED = {"execution": "e0", "key": "settings", "name": "acme", "value": "v"}
UNTRIED = frozenset({"help", "install_completion", "show_completion", "dask"})
"""Those of the framework, and the address of a cluster, which is waited for."""


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        elif name != "demo":  # which has a URL only
            yield (*path, name), command


TABLE = [
    pytest.param(path, command, option, id=f"{'-'.join(path)}.{option.name}")
    for path, command in commands(typer.main.get_command(app))
    for option in command.params
    if option.name not in UNTRIED and not getattr(option, "is_flag", False)
]


@pytest.mark.parametrize(("path", "command", "option"), TABLE)
def test_what_an_option_cannot_be_is_one_document(
    cli: Callable[..., Result],
    url: str,
    tmp_path: Path,
    path: tuple[str, ...],
    command: Any,
    option: Any,
) -> None:
    good = REQUIRED | {"source": url, "target": f"sqlite:///{tmp_path}/target.db"}
    flags = [
        flag
        for one in command.params
        for flag in one.opts
        if flag in {"--dry-run", "--yes"} and one is not option
    ]
    for value in NONSENSE:
        given = [
            value if one is option else good[one.name]
            for one in command.params
            if one.param_type_name == "argument"
            and (one is option or one.required or one.name in {"name", "value"})
            and not (one.name == "name" and option.name == "tenant")
            and not (one.name == "value" and option.name == "file")
        ]
        named = [] if option.param_type_name == "argument" else [f"{option.opts[0]}={value}"]
        answer = cli(*path, *named, *flags, "--json", "--", *given, stdin=b"")
        assert answer.code in set(Exit), (value, answer.text)
        assert isinstance(answer.json, dict), (value, answer.text)
        if "error" in answer.json:
            error = answer.json["error"]
            assert error["exit"] == answer.code != Exit.OK
            if option.name != "file":  # whose name the framework shows whole
                assert len(error["message"]) < MOST, (value[:20], error)

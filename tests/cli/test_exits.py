"""Exit codes, and the texts of errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors
from statebucket.cli.exits import Exit, exit_of
from statebucket.cli.screen import Screen, Stop, plain

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidURL("x"), 2),
        (errors.AdapterNotInstalled("x"), 2),
        (errors.AccessDenied("x"), 3),
        (errors.InvalidCredentials("x"), 3),
        (errors.BucketNotFound("x"), 3),
        (errors.Unavailable("x"), 4),
        (errors.Throttled("x"), 4),
        (errors.DeadlineExceeded("x"), 4),
        (errors.VersionConflict("x"), 5),
        (errors.StaleSnapshot("x"), 5),
        (errors.LeaseHeld("x"), 5),
        (errors.CorruptObject("x"), 1),
    ],
)
def test_each_kind_of_error_has_its_code(error: errors.StateBucketError, code: int) -> None:
    assert exit_of(error) == code


def test_the_help_tells_every_code(cli: Callable[..., Any]) -> None:
    said = cli("--help").text
    assert all(f"{code.value} " in said for code in Exit)


def test_memory_is_refused(cli: Callable[..., Any]) -> None:
    for command in ("doctor", "tenants"):
        answer = cli(command, "--url", "memory://", "--json")
        assert answer.code == 2
        assert "sqlite:///" in answer.json["error"]["message"]


def test_no_url_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATEBUCKET_URL", raising=False)
    done = subprocess.run(
        [sys.executable, "-m", "statebucket", "health"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "STATEBUCKET_URL" in done.stderr


def test_a_missing_folder_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    answer = cli("health", "-u", f"sqlite:///{tmp_path}/no/state.db", "--json")
    assert answer.code == 3
    assert answer.json["error"]["kind"] == "BucketNotFound"


@pytest.mark.parametrize(
    "command",
    [
        *(("health",), ("tenants",), ("snapshots", "a"), ("show", "e"), ("doctor",)),
        *(("lifecycle", "check"), ("get", "k"), ("rm", "k"), ("rm-tenant", "a"), ("sweep",)),
    ],
)
def test_a_file_that_is_missing_is_not_made_by_looking(
    cli: Callable[..., Any], tmp_path: Path, command: tuple[str, ...]
) -> None:
    answer = cli(*command, "-u", f"sqlite:///{tmp_path}/typo.db", "--json")
    assert answer.code == 3
    assert "there is no SQLite file" in answer.json["error"]["message"]
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.parametrize("command", [("set", "k", "v"), ("doctor", "--write")])
def test_what_writes_makes_the_file(
    cli: Callable[..., Any], tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert cli(*command, "-u", f"sqlite:///{tmp_path}/new.db").code == 0
    assert (tmp_path / "new.db").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_answer_that_cannot_be_written_is_an_error_of_one_line(
    url: str, more: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "statebucket", "-u", url, "tenants", *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "OSError: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_in_one_stream_a_remark_follows_what_it_is_about(url: str, more: tuple[str, ...]) -> None:
    command = ["statebucket", "-u", url, "snapshots", "acme", "--limit", "1", *more]
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].startswith("There are more: raise --limit")


@pytest.mark.parametrize("command", [("tenants",), ("doctor",), ("--help",)])
def test_where_not_every_letter_can_be_shown_the_rest_is(
    url: str, command: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "statebucket", "-u", url, *command],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert not done.stdout.startswith(b"?")  # which is the doctor's sign of what is unknown


def test_json_is_utf_8_whatever_the_terminal_speaks(url: str) -> None:
    command = [sys.executable, "-m", "statebucket", "-u", url]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    subprocess.run([*command, "set", "größe", "1"], env=environment, check=True)
    answer = subprocess.run(
        [*command, "get", "größe", "--json"], env=environment, capture_output=True, check=True
    )
    assert json.loads(answer.stdout.decode("utf-8"))["key"] == "größe"


def test_an_unreachable_service_is_told_within_the_deadline(cli: Callable[..., Any]) -> None:
    dead = "s3://bucket/app?endpoint_url=http://127.0.0.1:1&region=us-east-1&deadline=1"
    answer = cli("health", "-u", dead, "--json")
    assert answer.code == 4
    assert answer.json["error"]["kind"] in {"Unavailable", "DeadlineExceeded"}


def test_the_url_may_stand_before_the_command(
    url: str, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBUCKET_URL", "")  # put back when the test ends
    assert cli("--url", url, "health", "--json").code == 0


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_the_extra_the_pip_command_is_named(module: str) -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {module!r} else find(name, *a)\n"
        f"sys.modules[{module!r}] = None\n"
        "from statebucket.cli import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert module in done.stderr
    assert "pip install 'statebucket[cli]'" in done.stderr


def test_the_library_does_not_load_the_command_line() -> None:
    code = "import sys, statebucket; print({'typer', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_shell_can_complete_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "statebucket"],
        env=os.environ
        | {
            "_STATEBUCKET_COMPLETE": "complete_bash",
            "COMP_WORDS": "statebucket ten",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["tenants"]


def test_names_from_a_bucket_cannot_drive_the_terminal() -> None:
    assert plain("a\x1b[2Jb\u202e[red]x").plain == "a\\x1b[2Jb\\u202e[red]x"


def test_a_question_without_a_terminal_is_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Stop):
        Screen().sure("Remove it?", yes=False)
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("nonesuch",),
        ("get",),
        ("health", "--nonesuch"),
        ("sweep", "--margin", "no"),
        ("sweep", "--margin", "7w"),
        ("set", "k", "v", "--ttl", "5"),
    ],
)
def test_wrong_usage_is_a_document_too(cli: Callable[..., Any], command: tuple[str, ...]) -> None:
    answer = cli(*command, "--json")
    assert answer.code == 2
    assert answer.json["error"]["kind"] == "UsageError"
    assert answer.json["error"]["exit"] == 2


@pytest.mark.parametrize("command", [("snapshots",), ("lifecycle", "check")])
def test_a_name_that_begins_with_a_dash_is_said_to_come_after_two(
    cli: Callable[..., Any], command: tuple[str, ...]
) -> None:
    answer = cli(*command, "-var-app", "--json")
    assert answer.code == 2
    assert "statebucket snapshots -- -" in answer.json["error"]["message"]
    assert "two dashes before" in " ".join(cli(*command, "-var-app").text.split())
    assert "two dashes before" not in cli(*command, "--nonesuch").text


def test_a_tenant_whose_name_begins_with_a_dash_is_found(cli: Callable[..., Any]) -> None:
    assert cli("snapshots", "--json", "--", "-home-ada-app").code == 0


BESIDE = """
import signal, sys, threading
from statebucket.cli import main

def interrupt():  # seen by the thread of the command when that wakes up
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
main()
"""


@pytest.mark.parametrize("how", ["Ctrl-C", "a Ctrl-C that the loop's sleep does not see"])
def test_an_interrupted_command_prints_a_document(how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        url = f"s3://bucket/app?endpoint_url={address}&region=us-east-1&deadline=60"
        program = ["-m", "statebucket"] if how == "Ctrl-C" else ["-c", BESIDE]
        process = subprocess.Popen(
            [sys.executable, *program, "health", "--json", "-u", url],
            env=os.environ | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(10_000)  # now it waits for the answer
            if how == "Ctrl-C":
                process.send_signal(signal.SIGINT)
            said, _ = process.communicate("\n" if how != "Ctrl-C" else None, timeout=60)
    assert process.returncode == 130
    assert json.loads(said)["error"]["kind"] == "Interrupted"


def test_an_interrupt_while_the_value_is_read_prints_a_document(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "statebucket",
            "set",
            "k",
            "--json",
            "-u",
            f"sqlite:///{tmp_path}/s",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(bytes(1 << 20))  # more than a pipe holds: now it reads
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(said)["error"]["kind"] == "Interrupted"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ("set", "k", "\udcff"),
        ("set", "\udcff", "v"),
        ("sweep", "--margin", "999999999999999"),
        ("set", "k", "-f", "/proc/self/mem"),
    ],
)
def test_what_cannot_be_used_is_wrong_usage(
    cli: Callable[..., Any], command: tuple[str, ...]
) -> None:
    assert cli(*command).code == 2


@pytest.mark.parametrize(("url", "code"), [("bogus", 2), ("sqlite:////no/such/folder/x.db", 3)])
def test_the_demo_has_the_same_codes(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, url: str, code: int
) -> None:
    monkeypatch.setenv("STATEBUCKET_URL", "")  # put back when the test ends
    assert cli("demo", "-u", url).code == code


def test_a_call_that_needs_a_tenant_names_the_option(cli: Callable[..., Any], url: str) -> None:
    answer = cli("show", "e1", "-u", f"{url}?owner_index=false")
    assert answer.code != 0
    assert "pass --tenant" in answer.text
    assert "store.tenant" not in answer.text

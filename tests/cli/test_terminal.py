"""Every command as a person sees it: in a terminal, with colours, bars and questions."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cli.conftest import seed, snapshot
from cli.terminal import Terminal, run
from statebucket import open_store
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server

pytestmark = pytest.mark.slow

KEYS = 1000


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_help_lists_the_commands_with_examples() -> None:
    code, text = run("--help")
    assert code == 0
    for command in ("demo", "doctor", "tenants", "sweep", "copy", "lifecycle", "rm-tenant"):
        assert f"│ {command} " in text
    assert "statebucket -u s3://bucket/app doctor" in text


def test_tenants_are_drawn_as_bars(url: str) -> None:
    code, text = run("tenants", "-u", url)
    assert code == 0
    acme = next(line for line in text.splitlines() if line.startswith("acme"))
    globex = next(line for line in text.splitlines() if line.startswith("globex"))
    assert acme.count("█") == 28 > globex.count("█") > 0


def test_snapshots_with_state_sequence_age_size_and_expiry(url: str) -> None:
    code, text = run("snapshots", "acme", "-u", url)
    assert code == 0
    rows = lines(text[text.index("execution ") :])
    assert rows[0] == ["execution", "state", "sequence", "age", "size", "expires"]
    assert rows[3][:3] == ["e2", "Running", "2"]
    assert rows[3][-3:] == ["in", "47", "h"]


def test_keys_with_size_age_and_expiry(url: str) -> None:
    code, text = run("keys", "e1", "-t", "acme", "-u", url)
    assert code == 0
    rows = lines(text[text.index("key ") :])
    assert rows[0] == ["key", "size", "age", "expires"]
    assert rows[1][:3] == ["exec:e1:rows", "6", "bytes"]
    assert rows[1][-3:] == ["in", "4", "h"]


def test_executions_one_a_line_and_that_there_are_more(url: str) -> None:
    code, text = run("executions", "-t", "acme", "--limit", "2", "-u", url)
    assert code == 0
    rows = lines(text)
    assert rows[rows.index(["execution"]) :][1:3] == [["e0"], ["e1"]]
    assert "raise --limit" in text


def test_tenants_name_what_they_count(url: str) -> None:
    _, text = run("tenants", "-u", url)
    rows = lines(text[text.index("tenant ") :])
    assert rows[0] == ["tenant", "snapshots", "keys", "leases", "size"]
    assert rows[1][:4] == ["acme", "3", "4", "0"]


def test_show_prints_json_and_keys(url: str) -> None:
    code, text = run("show", "e1", "-u", url)
    assert code == 0
    assert '"execution_id": "e1"' in text
    assert ["exec:e1:rows", "6", "bytes", "in", "4", "h"] in lines(text)


def test_a_long_value_is_not_cut(url: str) -> None:
    asyncio.run(open_store(url).save_snapshot(snapshot("long", variables={"text": "x" * 500})))
    _, text = run("show", "long", "-u", url, columns=60)
    assert text.count("x") >= 500


def test_no_id_is_cut_on_a_narrow_terminal_nor_in_a_pipe(url: str) -> None:
    name = "order-" + "0123456789" * 9
    store = open_store(url)
    asyncio.run(store.save_snapshot(snapshot(name)))
    asyncio.run(store.tenant("acme").set(f"exec:{name}:rows", b"1"))
    for command in (("snapshots", "acme"), ("show", name)):
        _, text = run(*command, "-u", url, columns=40)
        assert "…" not in text[text.index("execution") :]
        assert "never" in text
    piped = subprocess.run(
        [sys.executable, "-m", "statebucket", "snapshots", "acme", "-u", url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in piped.stdout.splitlines()][-1] == name
    assert piped.stderr == ""


def test_tenants_fit_a_narrow_terminal(url: str) -> None:
    _, text = run("tenants", "-u", url, columns=50)
    rows = lines(text[text.index("tenant ") :])
    assert rows[1][:3] == ["acme", "3", "4"]
    assert "█" not in text


def test_without_colour_there_is_none(url: str) -> None:
    terminal = Terminal("tenants", "-u", url, environment={"NO_COLOR": "1"})
    assert terminal.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.raw)


@pytest.mark.parametrize("command", [("rm-execution", "e1"), ("rm-tenant", "acme")])
def test_a_removal_shows_progress_with_rate(url: str, command: tuple[str, ...]) -> None:
    _, text = run(*command, "-u", url, "--yes")
    assert re.search(r"removing .* (\d+)/\1 objects .*/s", text)


def test_a_removal_that_the_service_does_not_count_fills_its_bar_too(
    moto: Server,
) -> None:
    url = f"s3://b-{uuid4().hex}/app?endpoint_url={moto.url}&region=us-east-1&engine=http"
    raw_client(moto).create_bucket(Bucket=url.split("/")[2])
    asyncio.run(seed(url))
    _, text = run("rm-execution", "e1", "-u", url, "--yes")
    assert "3/3 objects" in text


HOSTILE = "a\x9b2J\x7f\u202e\u2066\x85\U000e0001z"


@pytest.fixture
def hostile(url: str) -> str:
    """The store, with a tenant whose every stored text holds what a terminal acts on."""

    async def fill() -> None:
        async with open_store(url) as store:
            view = store.tenant(HOSTILE)
            variables = {HOSTILE: HOSTILE, "esc": "\x1b[2J"}
            await view.save_snapshot(snapshot(HOSTILE, HOSTILE, variables=variables))
            await view.set(f"exec:{HOSTILE}:{HOSTILE}", HOSTILE.encode())
            await store.set(HOSTILE, f"{HOSTILE}\r\x1b[2J\tx\n".encode() + b"\xff")

    asyncio.run(fill())
    return url


@pytest.mark.parametrize(
    "command",
    [
        ("tenants", "--json"),
        ("show", HOSTILE, "--json"),
        ("get", HOSTILE, "--json"),
        ("tenants",),
        ("snapshots", HOSTILE),
        ("executions", "-t", HOSTILE),
        ("executions", "-t", f"no {HOSTILE}"),
        ("keys", HOSTILE, "-t", HOSTILE),
        ("keys", "-t", f"no {HOSTILE}"),
        ("keys", "--limit", "1"),
        ("keys", HOSTILE, "--prefix", HOSTILE),
        ("snapshots", f"no {HOSTILE}"),
        ("show", HOSTILE),
        ("show", HOSTILE, "-t", HOSTILE),
        ("show", f"no {HOSTILE}"),
        ("get", HOSTILE),
        ("get", f"no {HOSTILE}"),
        ("set", HOSTILE, "x"),
        ("rm", HOSTILE),
        ("rm-execution", HOSTILE, "--yes"),
        ("rm-execution", HOSTILE, "--dry-run"),
        ("rm-tenant", HOSTILE, "--dry-run"),
        ("rm-tenant", f"no {HOSTILE}"),
        ("copy", "-t", HOSTILE),
        ("copy", "-t", f"no {HOSTILE}"),
        ("doctor", "-t", HOSTILE),
        ("sweep", "-t", HOSTILE, "--dry-run"),
    ],
    ids=lambda command: "-".join(ascii(word)[1:-1][:12] for word in command),
)
def test_no_stored_text_reaches_a_terminal_unescaped(
    hostile: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    if command[0] == "copy":
        command = (*command, hostile, f"sqlite:///{tmp_path}/copy.db")
    else:
        command = (*command, "-u", hostile)
    _, text = run(*command)
    assert [char for char in text if not char.isprintable() and char not in "\n\t"] == []
    if command[0] in {"tenants", "show", "get"}:
        assert re.search(r"a\\+(x9b2J\\+x7f|u009b2J\\+u007f)", text)


def test_json_on_a_terminal_means_the_same(hostile: str) -> None:
    _, text = run("show", HOSTILE, "-u", hostile, "--json")
    document = json.loads(text)
    assert document["snapshot"]["variables"] == {HOSTILE: HOSTILE, "esc": "\x1b[2J"}
    assert document["tenant"] == document["execution"] == HOSTILE


def test_get_into_a_pipe_is_unchanged(hostile: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "statebucket", "get", HOSTILE, "-u", hostile],
        capture_output=True,
        check=True,
    )
    assert done.stdout == f"{HOSTILE}\r\x1b[2J\tx\n".encode() + b"\xff"


def test_set_says_on_a_terminal_that_it_waits_for_the_value(url: str) -> None:
    terminal = Terminal("set", "k", "-u", url)
    terminal.wait_for("Ctrl-D")
    terminal.press("typed\n\x04")
    assert terminal.end() == 0
    assert run("get", "k", "-u", url) == (0, "typed\n")


def test_a_long_tenant_leaves_room_for_bar_and_count(url: str, tmp_path: Path) -> None:
    tenant = "customer-" + "0123456789" * 6
    asyncio.run(open_store(url).tenant(tenant).set("k", b"1"))
    _, text = run("copy", url, f"sqlite:///{tmp_path}/copy.db", "-t", tenant, columns=80)
    assert re.search(r"copying customer-\S*… ━+ 1/1 objects .*0:00:00", text)


def test_show_names_the_tenant(url: str) -> None:
    assert "Tenant 'acme'" in run("show", "e1", "-u", url)[1]
    assert "Tenant 'acme'" in run("show", "e1", "-t", "acme", "-u", url)[1]
    assert "execution 'none' of tenant 'acme'" in run("show", "none", "-t", "acme", "-u", url)[1]


def test_a_tenant_in_a_message_is_quoted(url: str) -> None:
    assert "Tenant 'unknown' has no snapshots." in run("snapshots", "unknown", "-u", url)[1]
    assert "no state of tenant 'unknown'" in run("rm-tenant", "unknown", "-u", url)[1]


def test_get_ends_in_a_new_line_on_a_terminal_only(url: str) -> None:
    assert run("get", "settings", "-t", "acme", "-u", url) == (0, "{}\n")


def test_set_rm_and_health(url: str) -> None:
    assert run("set", "k", "hello", "-u", url) == (0, "k: 5 bytes\n")
    assert run("rm", "k", "-u", url) == (0, "k is gone\n")
    assert run("rm", "k", "-u", url) == (0, "k did not exist\n")
    code, text = run("health", "-u", url)
    assert (code, text.startswith("sqlite answers: ")) == (0, True)


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("rm-execution", "e1"), "Remove 1 snapshot, 1 key "),
        (("rm-tenant", "acme"), "Remove 3 snapshots, 4 keys "),
    ],
)
def test_a_removal_asks_and_names_the_count(
    url: str, command: tuple[str, ...], question: str
) -> None:
    code, text = run(*command, "-u", url, keys="n\n")
    assert question in text
    assert (code, "Nothing was done." in text) == (6, True)
    code, text = run(*command, "-u", url, keys="y\n")
    assert (code, "Removed: " in text) == (0, True)
    assert run(*command, "-u", url)[0] == 1


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 6)], ids=["Ctrl-C", "Ctrl-D"])
def test_a_question_can_be_left_at_once(url: str, key: str, code: int) -> None:
    terminal = Terminal("rm-tenant", "acme", "-u", url)
    terminal.wait_for("[y/n]")
    terminal.until_it_waits()  # Python heeds no signal between the question and that
    if key == "\x03":
        terminal.interrupt()  # the test's terminal is not the one that controls the command
    else:
        terminal.press(key)
    assert terminal.end() == code
    assert "Traceback" not in terminal.text
    assert terminal.text.splitlines()[-1].startswith(("Interrupted.", "Nothing was done."))
    assert run("rm-tenant", "acme", "-u", url, "--dry-run")[0] == 0


def test_sweep_asks_and_then_shows_progress(url: str) -> None:
    async def expire() -> None:
        async with open_store(url, clock=lambda: time.time() - 120) as store:
            await store.tenant("acme").set("old", b"12345", timedelta(seconds=1))

    asyncio.run(expire())
    code, text = run("sweep", "-u", url, keys="y\n")
    assert code == 0
    assert "Remove 1 expired object (5 bytes)? [y/n]" in text
    assert "sweeping" in text
    assert "Removed: 1 expired object (5 bytes)." in text


def test_doctor_fits_on_a_screen(url: str) -> None:
    code, text = run("doctor", "--write", "-u", url)
    assert code == 0
    assert len(text.splitlines()) < 25
    assert "✓  reach" in text


def test_lifecycle_commands(url: str) -> None:
    assert "only sweep() does" in run("lifecycle", "check", "-u", url)[1]
    assert "No rule is needed" in run("lifecycle", "show", "-u", url)[1]
    assert "Nothing to change." in run("lifecycle", "apply", "-u", url)[1]


def test_on_azure_lifecycle_commands_say_that_they_cannot_write() -> None:
    url = "az://box/app?account=example"  # no request is sent
    assert "box/app/tenants/" in run("lifecycle", "show", "-u", url)[1]
    code, text = run("lifecycle", "apply", "-y", "-u", url)
    assert code == 1
    assert "Nothing was written: statebucket cannot write this service's rules." in text
    assert "Nothing to change" not in text


def test_copy_shows_progress_with_rate_and_a_sum(url: str, tmp_path: Path) -> None:
    code, text = run("copy", url, f"sqlite:///{tmp_path}/copy.db")
    assert code == 0
    assert "copying" in text
    assert "/s" in text
    assert "9  copied, read back and equal" in text


def test_a_tenant_is_no_markup(url: str, tmp_path: Path) -> None:
    asyncio.run(open_store(url).tenant("a[/b]c").set("k", b"1"))
    code, text = run("copy", url, f"sqlite:///{tmp_path}/copy.db", "-t", "a[/b]c")
    assert (code, "copying a[/b]c" in text) == (0, True)


def test_a_copy_that_is_interrupted_is_gone_on_with(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/source.db", f"sqlite:///{tmp_path}/target.db"

    async def fill(first: int, end: int) -> None:
        async with open_store(source, deadline=100) as store:
            acme = store.tenant("acme")
            await asyncio.gather(*(acme.set(f"k{n}", bytes(100)) for n in range(first, end)))

    asyncio.run(fill(0, KEYS // 2))
    assert run("copy", source, target)[0] == 0
    asyncio.run(fill(KEYS // 2, KEYS))
    with closing(sqlite3.connect(tmp_path / "target.db", timeout=60)) as db:
        db.execute("BEGIN IMMEDIATE")  # the copy's first write waits until it is interrupted
        terminal = Terminal("copy", source, target)
        terminal.wait_for(f"/{KEYS} objects")
        time.sleep(0.3)
        terminal.interrupt()
        time.sleep(0.5)
    assert terminal.end() == 130
    assert "Run it again to carry on" in terminal.text
    done = _count(target)
    assert KEYS // 2 <= done < KEYS
    code, text = run("copy", source, target)
    assert code == 0
    assert f"{KEYS - done:,}  copied" in text
    assert f"{done:,}  already there" in text


def test_demo_tells_its_story() -> None:
    code, text = run("demo")
    assert code == 0
    assert "All as it should be." in text


def test_an_error_is_one_line_in_red(tmp_path: Path) -> None:
    terminal = Terminal("health", "-u", f"sqlite:///{tmp_path}/no/state.db")
    assert terminal.end() == 3
    assert "Traceback" not in terminal.text
    assert "\x1b[1;31mBucketNotFound: " in terminal.raw


def _count(url: str) -> int:
    async def count() -> int:
        async with open_store(url) as store:
            return len([key async for key in store.tenant("acme").iter_keys()])

    return asyncio.run(count())

"""The eight jobs do what their pages say, on SQLite and on an S3, in fewer than fifteen lines."""

from __future__ import annotations

import ast
import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from jobs import clean_up, conversation, counter, csv_import, large_value, lock, migration, webhook
from statebucket import ExecutionState, errors
from statebucket.sync import open_store
from statebucket.testing import Clock
from support.targets.s3 import BUCKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statebucket.admin import CopyReport
    from statebucket.sync import BlockingStateStore
    from support.servers import Server

FOLDER = Path(__file__).parents[2] / "core" / "jobs"
JOBS = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")


@pytest.fixture(params=["sqlite", "s3"])
def url(request: pytest.FixtureRequest, moto: Server, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return f"s3://{BUCKET}/{uuid4().hex}?endpoint_url={moto.url}&region=us-east-1"


@pytest.fixture
def acme(url: str) -> Iterator[BlockingStateStore]:
    with open_store(url, deadline=60) as store:
        yield store.tenant("acme")


def requests(store: BlockingStateStore, work: Callable[[], object]) -> int:
    """How many requests some work takes."""
    before = store.stats().requests
    work()
    return store.stats().requests - before


def test_there_are_eight_jobs_each_with_a_page_that_the_list_names() -> None:
    assert len(JOBS) == 8
    listed = (FOLDER / "README.md").read_text()
    assert [name for name in JOBS if f"({name}.md)" not in listed] == []
    for name in JOBS:
        page = (FOLDER / f"{name}.md").read_text()
        assert [
            word for word in ("Use it", "**Requests:**", "**On a crash**") if word not in page
        ] == []


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_fewer_than_fifteen_lines(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    bare = [one for one in tree.body if not isinstance(one, (ast.Import, ast.ImportFrom, ast.Expr))]
    for one in ast.walk(ast.Module(bare, [])):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            one.body = one.body[1:]  # without its docstring
    code = ast.unparse(ast.Module(bare, []))
    assert len([line for line in code.splitlines() if line.strip()]) < 15


def test_an_import_goes_on_after_a_crash(acme: BlockingStateStore, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id\n" + "".join(f"{number}\n" for number in range(1200)))
    execution = acme.execution("orders.csv")
    table: dict[str, str] = {}

    def insert(rows: list[dict[str, str]]) -> None:
        if len(table) == 500 and "crashed" not in table:
            table["crashed"] = "yes"
            raise ConnectionError("the database is gone")
        table.update({row["id"]: "row" for row in rows})

    with pytest.raises(ConnectionError):
        csv_import.import_rows(execution, file, insert)
    csv_import.import_rows(execution, file, insert)
    assert len(table) == 1201
    found = execution.load()
    assert found is not None
    assert (found.state, found.variables) == (ExecutionState.COMPLETED, {"rows": 1200})


def test_an_import_takes_a_request_for_each_batch_and_three_more(
    acme: BlockingStateStore, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id\n" + "1\n" * 1200)
    execution = acme.execution("orders.csv")
    work = partial(csv_import.import_rows, execution, file, lambda _: None)
    assert requests(acme, work) == 1 + 3 + 1 + 1


def test_of_two_imports_at_a_time_the_slower_one_ends(
    acme: BlockingStateStore, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id\n1\n2\n")
    execution = acme.execution("orders.csv")

    def overtaken(_rows: list[dict[str, str]]) -> None:
        csv_import.import_rows(execution, file, lambda _: None)

    with pytest.raises(errors.VersionConflict):
        csv_import.import_rows(execution, file, overtaken)


def test_a_webhook_is_handled_once(acme: BlockingStateStore) -> None:
    handled: list[int] = []
    answers: list[bool] = []

    def deliver() -> None:
        answers.append(webhook.receive(acme, "evt-1", lambda: handled.append(1)))

    assert [requests(acme, deliver) for _ in range(2)] == [2, 2]
    assert (answers, handled) == ([True, True], [1])


def test_a_webhook_whose_handler_has_died_is_handled_again_later(url: str) -> None:
    def dying() -> None:
        raise KeyError("died")

    clock = Clock()
    with open_store(url, clock=clock) as store:
        acme = store.tenant("acme")
        handled: list[int] = []
        with pytest.raises(KeyError):
            webhook.receive(acme, "evt-1", dying)
        assert not webhook.receive(acme, "evt-1", lambda: handled.append(1))
        clock.advance(timedelta(minutes=5))
        assert webhook.receive(acme, "evt-1", lambda: handled.append(1))
        assert handled == [1]


def test_a_counter_counts(acme: BlockingStateStore) -> None:
    assert [counter.count(acme, "pages", by) for by in (1, 2)] == [1, 3]
    assert requests(acme, lambda: counter.count(acme, "pages")) == 2


def test_a_counter_is_exact_with_many_at_a_time(tmp_path: Path) -> None:
    # Not on moto, which now and then lets two writers through on one version.
    with open_store(f"sqlite:///{tmp_path}/state.db", deadline=60) as store:
        acme = store.tenant("acme")
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: counter.count(acme, "pages"), range(20)))
    assert sorted(found) == list(range(1, 21))


def test_a_conversation_keeps_its_messages(acme: BlockingStateStore) -> None:
    first: conversation.Message = {"role": "user", "text": "hello"}
    second: conversation.Message = {"role": "agent", "text": "hi"}
    assert conversation.say(acme, "slack:C1:17", first) == [first]
    assert requests(acme, lambda: conversation.say(acme, "slack:C1:17", second)) == 2
    assert acme.execution("slack:C1:17").get_json("messages") == [first, second]
    assert list(acme.iter_executions()) == ["slack:C1:17"]
    acme.execution("slack:C1:17").delete()
    assert list(acme.iter_executions()) == []


def test_cleaning_up_takes_what_is_unused_and_spares_the_rest(acme: BlockingStateStore) -> None:
    for execution_id in ("one", "two"):
        acme.save_snapshot(acme.snapshot(execution_id))
        acme.execution(execution_id).set("rows", b"1")
    assert clean_up.clean_up(acme, timedelta(days=1)) == []
    assert sorted(acme.iter_executions()) == ["one", "two"]
    assert clean_up.clean_up(acme, timedelta(microseconds=1)) == ["one", "two"]
    assert list(acme.iter_executions()) == []


def test_cleaning_up_takes_ids_with_a_colon_and_spares_what_has_no_snapshot(
    acme: BlockingStateStore,
) -> None:
    order = acme.execution("order:17")
    order.save(order.snapshot())
    order.set("rows", b"1")
    conversation.say(acme, "slack:C1:17", {"role": "user", "text": "hello"})
    large_value.put(acme.execution("report", keep=True), BytesIO(b"1"))
    assert clean_up.clean_up(acme, timedelta(microseconds=1)) == ["order:17"]
    assert sorted(acme.iter_executions()) == ["report", "slack:C1:17"]


def test_a_lock_is_held_by_one(acme: BlockingStateStore) -> None:
    tried: list[bool] = []

    def work(_lease: Any) -> None:
        tried.append(lock.alone(acme, "report", lambda _: None))

    assert lock.alone(acme, "report", work)
    again = partial(lock.alone, acme, "report", lambda lease: lease.check())
    assert requests(acme, again) == 4
    assert tried == [False]


def test_a_large_value_comes_back(acme: BlockingStateStore) -> None:
    value = bytes(range(256)) * 70_000  # three parts
    execution = acme.execution("report")
    assert requests(acme, lambda: large_value.put(execution, BytesIO(value))) == 5
    target = BytesIO()
    assert requests(acme, lambda: large_value.get(execution, target)) == 4
    assert target.getvalue() == value


def test_a_missing_part_is_an_error(acme: BlockingStateStore) -> None:
    execution = acme.execution("report")
    large_value.put(execution, BytesIO(b"1"))
    execution.delete_many(["part-1"])
    with pytest.raises(FileNotFoundError, match="part 1"):
        large_value.get(execution, BytesIO())


def test_a_value_that_was_never_stored_is_an_error(acme: BlockingStateStore) -> None:
    with pytest.raises(FileNotFoundError, match="no value"):
        large_value.get(acme.execution("report"), BytesIO())


def test_a_shorter_value_leaves_no_parts_of_the_longer_one(acme: BlockingStateStore) -> None:
    execution = acme.execution("report")
    large_value.put(execution, BytesIO(bytes(20_000_000)))
    large_value.put(execution, BytesIO(b"1"))
    large_value.get(execution, target := BytesIO())
    assert target.getvalue() == b"1"
    assert sorted(execution.iter_keys()) == ["part-1", "parts"]


def test_an_import_that_has_completed_imports_nothing_more(
    acme: BlockingStateStore, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id\n1\n")
    execution = acme.execution("orders.csv:1")
    table: list[dict[str, str]] = []
    csv_import.import_rows(execution, file, table.extend)
    file.write_text("id\n2\n3\n")
    assert requests(acme, lambda: csv_import.import_rows(execution, file, table.extend)) == 1
    assert table == [{"id": "1"}]


def test_a_lock_may_have_a_colon_in_its_name(acme: BlockingStateStore) -> None:
    assert lock.alone(acme, "report:7", lambda lease: lease.check())


def test_a_migration_takes_everything_and_again_nothing(url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/new.db"
    with open_store(url) as store:
        store.tenant("acme").save_snapshot(store.tenant("acme").snapshot("e1"))
        store.set("banner", b"hello")
    steps: list[CopyReport] = []
    first = asyncio.run(migration.migrate(url, target, steps.append))
    again = asyncio.run(migration.migrate(url, target, steps.append))
    assert (first.ok, first.copied, again.copied, again.same) == (True, 2, 0, 2)
    assert steps[-1].seen == steps[-1].total == 2

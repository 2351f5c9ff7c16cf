"""Opening a store: options, and adapters of other packages."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import statebucket
import statebucket_local
from statebucket import ExecutionState, StateStore, errors, open_store
from statebucket.opening import BUILT_IN, schemes
from statebucket.testing import Clock
from statebucket.testing.contract.base import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ADAPTER = """
from statebucket.port.bucket import OpenedBucket
from statebucket.errors import BucketNotFound
from statebucket_local.memory import MemoryBucket

seen = []

def open_probe(location):
    seen.append(location)
    return OpenedBucket(MemoryBucket(), location.path.strip("/"))

class Missing(MemoryBucket):
    async def get(self, name):
        raise BucketNotFound("there is none")

def open_missing(location):
    return OpenedBucket(Missing())

class Probe:
    @classmethod
    def open(cls, location):
        return open_probe(location)
"""
ENTRY_POINTS = """
[statebucket.adapters]
probe = probe_adapter:open_probe
probe+fast = probe_adapter:open_probe
probe+other = probe_adapter:open_missing
missing = probe_adapter:open_missing
nested = probe_adapter:Probe.open
extra = probe_adapter:open_probe [fast]
spaced = probe_adapter : open_probe
nothing = probe_adapter:no_such_thing
broken = probe_adapter_broken:open_probe
s3 = probe_adapter:open_probe
"""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What an adapter of another distribution, installed for the test, has been asked to open."""
    (tmp_path / "probe_adapter.py").write_text(ADAPTER)
    (tmp_path / "probe_adapter_broken.py").write_text("import surely_not_installed")
    info = tmp_path / "probe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import probe_adapter  # type: ignore[import-not-found]  # noqa: PLC0415  (just written)

    yield probe_adapter.seen
    del sys.modules["probe_adapter"]


def test_an_adapter_of_another_distribution_is_found_by_its_scheme(seen: list[Any]) -> None:
    store = open_store("probe://host/some/path?colour=blue&deadline=7", shape=["any"])
    assert repr(store) == "<StateStore memory bucket='host' prefix='some/path'>"
    (location,) = seen
    assert (location.scheme, location.host, location.path) == ("probe", "host", "/some/path")
    assert location.options == {"colour": "blue", "shape": ["any"]}
    assert (location.deadline, location.max_in_flight) == (7.0, 32)
    assert "probe" in schemes()
    assert not [scheme for scheme in schemes() if "+" in scheme]


@pytest.mark.asyncio
async def test_the_error_for_a_missing_bucket_names_it(seen: list[Any]) -> None:
    with pytest.raises(errors.BucketNotFound, match=r"there is none \(bucket 'place'\)"):
        await open_store("missing://place/prefix").get("k")
    assert seen == []


def test_an_engine_is_another_entry_point_of_the_scheme(seen: list[Any]) -> None:
    open_store("probe://host?engine=fast")
    open_store("probe://host", engine="fast")
    assert [location.scheme for location in seen] == ["probe", "probe"]
    assert [location.options for location in seen] == [{}, {}]
    open_store("probe://host?engine=fast", engine="sdk")
    with pytest.raises(errors.UnknownScheme, match="probe with engine=slow"):
        open_store("probe://host?engine=slow")


def test_the_environments_engine_is_for_the_schemes_that_have_it(
    seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBUCKET_ENGINE", "other")
    open_store("probe://host")
    assert seen == []  # it was not the default engine's
    open_store("probe://host", engine="sdk")
    assert len(seen) == 1
    assert open_store("memory://").name == "memory"
    with pytest.raises(errors.UnknownScheme, match="probe with engine=slow"):
        open_store("probe://host?engine=slow")
    monkeypatch.setenv("STATEBUCKET_ENGINE", "http")
    keys: dict[str, Any] = {"access_key_id": "k", "secret_access_key": "s"}  # of that engine
    open_store("s3://bucket", **keys)
    with pytest.raises(errors.InvalidArgument, match="access_key_id"):
        open_store("s3://bucket", engine="sdk", **keys)


def test_an_engine_of_the_environment_that_nothing_has_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATEBUCKET_ENGINE", "htpp")
    for url in ("s3://bucket", "memory://"):
        with pytest.raises(
            errors.UnknownScheme, match=r"STATEBUCKET_ENGINE .*'htpp'.*available: .*http.*sdk"
        ):
            open_store(url)
    assert open_store("memory://", engine="sdk").name == "memory"


def test_another_distribution_cannot_take_over_a_scheme_of_ours(seen: list[Any]) -> None:
    assert open_store("s3://bucket").name == "s3"
    assert seen == []


def test_an_adapter_that_lacks_a_module_says_which(seen: list[Any]) -> None:
    with pytest.raises(errors.AdapterNotInstalled, match="surely_not_installed") as caught:
        open_store("broken://host")
    assert isinstance(caught.value, ImportError)
    assert seen == []


@pytest.mark.parametrize("scheme", ["nested", "extra", "spaced"])
def test_an_entry_point_of_any_form_is_loaded(seen: list[Any], scheme: str) -> None:
    assert open_store(f"{scheme}://host").name == "memory"
    assert [location.scheme for location in seen] == [scheme]


def test_an_entry_point_that_leads_nowhere_is_a_typed_error(seen: list[Any]) -> None:
    with pytest.raises(errors.AdapterNotInstalled, match="no_such_thing") as caught:
        open_store("nothing://host")
    assert isinstance(caught.value.__cause__, AttributeError)
    assert seen == []


@pytest.mark.parametrize(
    ("text", "keyword", "deadline", "bound"),
    [
        ("", {}, 10.0, 32),
        ("?deadline=0.5&max_in_flight=4", {}, 0.5, 4),
        ("", {"deadline": 3, "max_in_flight": 1}, 3.0, 1),
        ("?deadline=5&max_in_flight=4", {"deadline": 3}, 3.0, 4),
        ("?deadline=5&max_in_flight=4", {"max_in_flight": 2}, 5.0, 2),
    ],
)
def test_a_keyword_wins_over_the_parameter_in_the_url(
    seen: list[Any], text: str, keyword: dict[str, Any], deadline: float, bound: int
) -> None:
    open_store(f"probe://host{text}", **keyword)
    assert (seen[0].deadline, seen[0].max_in_flight) == (deadline, bound)


def test_a_keyword_of_the_adapters_wins_too(seen: list[Any]) -> None:
    open_store("probe://host?colour=blue&shape=round", colour="red")
    assert seen[0].options == {"colour": "red", "shape": "round"}


@pytest.mark.parametrize(
    ("text", "keyword", "kept"),
    [
        ("", {}, True),
        ("?owner_index=true", {}, True),
        ("?owner_index=1", {}, True),
        ("?owner_index=false", {}, False),
        ("?owner_index=False", {}, False),
        ("?owner_index=0", {}, False),
        ("", {"owner_index": False}, False),
        ("?owner_index=true", {"owner_index": False}, False),
        ("?owner_index=false", {"owner_index": True}, True),
    ],
)
@pytest.mark.asyncio
async def test_owner_index(
    text: str,
    keyword: dict[str, Any],
    kept: bool,  # noqa: FBT001  (a row of the table)
) -> None:
    store = open_store(f"memory://{text}", **keyword)
    if kept:
        assert await store.load_snapshot("e1") is None
    else:
        with pytest.raises(errors.UnsupportedOperation, match="owner_index"):
            await store.load_snapshot("e1")


@pytest.mark.asyncio
async def test_a_clock_and_a_ttl_for_finished_executions_are_taken() -> None:
    clock = Clock(1_000_000)
    store = open_store("memory://", clock=clock, finished_ttl=timedelta(seconds=5))
    await store.save_snapshot(snapshot(state=ExecutionState.COMPLETED))
    clock.advance(4.999)
    assert await store.load_snapshot("e1") is not None
    clock.advance(0.001)
    assert await store.load_snapshot("e1") is None


@pytest.mark.asyncio
async def test_a_clock_may_tell_datetimes() -> None:
    now = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    store = open_store("memory://", clock=lambda: now)
    await store.set("k", b"v", timedelta(seconds=1))
    found = await store.get_stored("k")
    assert found is not None
    assert found.expires_at == now + timedelta(seconds=1)
    now += timedelta(milliseconds=999)
    assert await store.exists("k")
    now += timedelta(milliseconds=1)
    assert not await store.exists("k")


@pytest.mark.parametrize(
    "clock", [1_000, "now", lambda: None, lambda: "12:00", lambda: True, lambda: float("nan")]
)
def test_what_is_no_clock_is_refused(clock: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="clock"):
        open_store("memory://", clock=clock)


def test_a_clock_without_a_time_zone_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"timezone-aware datetime; .* returned"):
        open_store("memory://", clock=lambda: datetime(2030, 1, 1))  # noqa: DTZ001  (the point)


def test_a_clock_that_is_not_callable_is_refused_as_that() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"12\.5 is not callable"):
        open_store("memory://", clock=12.5)  # type: ignore[arg-type]


def test_without_a_url_the_environment_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEBUCKET_URL", "memory://?deadline=3")
    assert open_store().name == "memory"
    monkeypatch.setenv("STATEBUCKET_URL", "sqlite:///file.db")
    assert open_store("memory://").name == "memory"
    assert open_store().name == "sqlite"


@pytest.mark.parametrize("value", [None, ""])
def test_no_url_anywhere_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("STATEBUCKET_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("STATEBUCKET_URL", value)
    with pytest.raises(errors.InvalidURL, match="STATEBUCKET_URL"):
        open_store()


@pytest.mark.parametrize("url", ["nothing://bucket", "nothing://b?engine=http"])
def test_an_unknown_scheme_or_engine_is_told_with_those_there_are(url: str) -> None:
    with pytest.raises(errors.UnknownScheme) as caught:
        open_store(url)
    said = str(caught.value).partition("available: ")[2].replace(" with engine=", "+").split(", ")
    assert said[:7] == ["az", "az+http", "gs", "gs+http", "memory", "s3", "s3+http"]
    assert len(said) >= len(BUILT_IN)


@pytest.mark.parametrize("url", ["{}://bucket?engine=lean", "{}+lean://bucket"])
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_an_unknown_engine_is_told_with_those_of_its_scheme(scheme: str, url: str) -> None:
    with pytest.raises(errors.UnknownScheme) as caught:
        open_store(url.format(scheme))
    said = f"'{scheme} with engine=lean'; engines of {scheme}: http or sdk, the default"
    assert str(caught.value) == f"no adapter is registered for {said}"


@pytest.mark.parametrize("option", ["deadline", "retention"])
def test_a_duration_in_a_url_is_told_its_unit(option: str) -> None:
    said = f"'{option}' must be a number of seconds, as in {option}=60, not text"
    with pytest.raises(errors.InvalidArgument, match=said):
        open_store(f"memory://?{option}=1h")


def test_an_unknown_option_is_told_with_those_there_are() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"no option 'color'; available: .*deadline"):
        open_store("memory://", color="red")


@pytest.mark.asyncio
async def test_a_named_memory_is_shared_and_one_without_a_name_is_not() -> None:
    name = "test-registry-shared"
    one, other = open_store(f"memory://{name}"), open_store(f"memory://{name}/")
    third, fourth = open_store("memory://"), open_store(f"memory://{name}-2")
    await one.set("k", b"v")
    await one.shutdown()
    assert await other.get("k") == b"v"
    assert await third.get("k") is None
    assert await fourth.get("k") is None
    del statebucket_local._named[name]


def test_the_built_in_schemes_are_those_that_pyproject_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["statebucket.adapters"] == BUILT_IN
    assert project["version"] == statebucket.__version__


def test_what_a_store_returns_can_be_named() -> None:
    hints = " ".join(
        str(inspect.signature(method).return_annotation)
        for name, method in vars(StateStore).items()
        if inspect.isfunction(method) and not name.startswith("_")
    )
    classes = set(re.findall(r"\b[A-Z]\w+", hints))
    assert {"Lease", "LifecycleReport", "DeletionReport"} <= classes
    for name in classes - {"Any", "AsyncIterator", "AbstractAsyncContextManager", "None", "T"}:
        assert isinstance(getattr(statebucket, name), type) or name.endswith("Id")
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        statebucket.Nothing  # type: ignore[attr-defined]  # noqa: B018  (that is the point)


@pytest.mark.parametrize("url", [Path("state.db"), "state.db"])
def test_a_file_that_is_no_url_is_told_what_to_write(url: Any) -> None:
    with pytest.raises(errors.InvalidURL, match=r"sqlite:///"):
        open_store(url)

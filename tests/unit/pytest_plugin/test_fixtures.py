"""The pytest plugin, in a user's own pytest runs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = (
    *("-p", "statebucket_pytest", "-p", "pytest_asyncio", "-p", "no:cacheprovider"),
    *("-o", "asyncio_default_fixture_loop_scope=function", "-W", "error"),
    *("-p", "no:langsmith_plugin"),  # it is here for other tests, and takes a second
)

USER = """
    import os
    from datetime import timedelta
    import pytest
    from statebucket import ExecutionSnapshot, ExecutionState

    both = pytest.mark.parametrize("kind", ["state_store", "s3_state_store"])

    @both
    @pytest.mark.asyncio
    async def test_a_step_is_remembered_for_an_hour(kind, request, state_clock):
        acme = request.getfixturevalue(kind).tenant("acme")
        await acme.save_snapshot(ExecutionSnapshot(
            execution_id="e1", tenant_id="acme", state=ExecutionState.RUNNING, sequence_number=1,
        ), ttl=timedelta(hours=1))
        assert (await acme.load_snapshot("e1")).sequence_number == 1
        state_clock.advance(timedelta(hours=1))
        assert await acme.load_snapshot("e1") is None

    @both
    @pytest.mark.asyncio
    async def test_another_test_left_nothing(kind, request):
        store = request.getfixturevalue(kind)
        assert [tenant async for tenant in store.iter_tenants()] == []

    def test_a_handler_opens_its_own_store_there(s3_state_url, state_clock, monkeypatch):
        from statebucket.sync import open_store
        monkeypatch.setenv("STATEBUCKET_URL", s3_state_url)
        store = open_store(engine="http", retention=60, clock=state_clock)
        store.set("k", b"v")
        assert store.get("k") == b"v"
        state_clock.advance(timedelta(seconds=60))
        assert store.get("k") is None

    def test_the_real_credentials_are_out_of_reach(s3_state_store):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
        assert "AWS_SESSION_TOKEN" not in os.environ
"""


BLOCKING = """
    from datetime import timedelta
    from statebucket.sync import open_store

    store = open_store("sqlite:///not-in-a-test.db")

    def count():
        return store.update_json("count", lambda n: (n or 0) + 1, ttl=timedelta(hours=1))

    def test_a_module_gets_the_fixture_for_its_own_store(
        sync_state_store, state_clock, monkeypatch
    ):
        monkeypatch.setitem(globals(), "store", sync_state_store)
        assert [count(), count()] == [1, 2]
        state_clock.advance(timedelta(hours=1))
        assert count() == 1

    def test_another_test_left_nothing(sync_state_store, state_store):
        assert list(sync_state_store.iter_keys()) == []
        sync_state_store.set("k", b"1")
"""

ANYIO = """
    import pytest
    from statebucket import errors

    pytestmark = pytest.mark.anyio

    async def test_the_store_works_or_says_what_to_do(state_store, anyio_backend_name):
        if anyio_backend_name == "asyncio":
            await state_store.set("k", b"1")
            assert await state_store.get("k") == b"1"
        else:
            with pytest.raises(errors.UnsupportedOperation, match="anyio_backend"):
                await state_store.set("k", b"1")
"""


def run(folder: Path, code: str, *interpreter: str) -> str:
    (folder / "test_user.py").write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, *interpreter, "-m", "pytest", "-q", *OPTIONS, "test_user.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout + done.stderr


def test_a_users_tests_run_in_memory_and_on_s3_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    said = run(tmp_path, USER)
    assert "6 passed" in said, said


def test_code_that_blocks_has_a_store_of_its_own_by_the_same_clock(tmp_path: Path) -> None:
    said = run(tmp_path, BLOCKING)
    assert "2 passed" in said, said
    assert not (tmp_path / "not-in-a-test.db").exists()


def test_anyios_plugin_runs_them_on_asyncio_and_on_trio_the_error_says_so(tmp_path: Path) -> None:
    said = run(tmp_path, ANYIO)
    assert "2 passed" in said, said


def test_nothing_of_the_users_aws_settings_reaches_a_fixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / ".aws"
    files.mkdir()
    (files / "config").write_text(
        "[default]\nendpoint_url = http://127.0.0.1:9\ns3 =\n    addressing_style = virtual\n"
        "[profile none]\nregion = nowhere-1\nsource_profile = missing\nrole_arn = arn:x\n"
    )
    (files / "credentials").write_text("[default]\nthis is no credentials file")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in {
        "AWS_DEFAULT_PROFILE": "missing",
        "AWS_PROFILE": "none",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        "AWS_SESSION_TOKEN": "real",
        "AWS_SECURITY_TOKEN": "real",
        "AWS_REGION": "nowhere-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": "/no/such/file",
        "AWS_CONFIG_FILE": str(files / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(files / "credentials"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/file",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
        "AWS_USE_FIPS_ENDPOINT": "true",
    }.items():
        monkeypatch.setenv(name, value)
    said = run(
        tmp_path,
        USER
        + """
        import boto3
        boto3.DEFAULT_SESSION = "of a profile that does not exist"
        """,
    )
    assert "6 passed" in said, said


@pytest.mark.parametrize("way", ["-X dev", "PYTHONASYNCIODEBUG"])
def test_they_run_in_development_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "PYTHONASYNCIODEBUG":
        monkeypatch.setenv(way, "1")
        said = run(tmp_path, USER)
    else:
        said = run(tmp_path, USER, "-X", "dev")
    assert "6 passed" in said, said


def test_a_proxy_of_the_environment_is_not_asked_for_moto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    said = run(tmp_path, USER)
    assert "6 passed" in said, said


def test_the_plugin_imports_nothing_for_those_who_do_not_use_it() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import statebucket_pytest; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['statebucket_pytest']"


def test_a_run_that_does_not_use_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    assert not loaded & {'statebucket', 'moto', 'boto3', 'msgspec', 'pytest_asyncio'}\n"
    )
    plugins = ("-p", "statebucket_pytest", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugins, "test_user.py"],
        cwd=tmp_path,
        # As for someone who has none of the extra's packages.
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_missing_moto_names_the_pip_command(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
        import sys
        sys.modules["moto"] = None
        def test_s3(s3_state_store):
            pass
        """,
    )
    assert "pip install 'statebucket[s3,testing-s3]'" in said

"""The scanner finds a credential wherever it leaks, also in workers."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.every_call import Ids, drive
from support.fault_proxy.proxy import Answer, CutBody, DropReply, FaultProxy
from support.secret_scan.plugin import LEAKED
from support.secret_scan.scan import SECRETS, SecretScanner, secret_in
from support.servers import AZURE_KEY
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Server

TESTS = Path(__file__).parents[2]
# Put together here, so that a failing test of this file does not tell them either.
KEY = "test-secret" + "-key"
TOKEN = "test-session" + "-token"
# What S3 says beside the code: the token as it came, and the signature.
EXPIRED = (
    "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>"
    f"<Token-0>{TOKEN}</Token-0></Error>"
)
MISMATCH = (
    "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does "
    "not match the signature you provided.</Message><StringToSign>AWS4-HMAC-SHA256</StringToSign>"
    f"<SignatureProvided>Signature={'0f' * 32}</SignatureProvided></Error>"
)
PLUGIN = """
import sys
sys.path.insert(0, {tests!r})
from support.secret_scan.plugin import SecretScan
def pytest_configure(config):
    config.pluginmanager.register(SecretScan(config), "secret_scan")
"""
LEAKS = {
    "an error": "errors.Unavailable(KEY)",
    "an error's cause": "caused(errors.Unavailable('it failed'), ValueError(KEY))",
    "an error's note": "errors.Unavailable('it failed').add_note(KEY)",
    "a log line": "logging.getLogger('statebucket.store').debug('try %d with %s', 1, KEY)",
    "a warning": "warnings.warn(KEY, UserWarning, stacklevel=2)",
    "what was printed": "print(KEY)",
    "what was printed as an error": "print(KEY, file=sys.stderr)",
    "a repr": "store_over(Loud())",
}
HEAD = """
import logging, sys, time, warnings
from statebucket import errors
from statebucket.store.context import StoreContext
from statebucket.store.layout import Layout
from statebucket.store.objects import Objects
from statebucket.store.store import ObjectStateStore
from statebucket_local.memory import MemoryBucket
KEY = "test-secret" + "-key"
class Loud(MemoryBucket):
    def __repr__(self):
        return KEY
def store_over(bucket):
    objects = Objects(bucket, time.time, 1)
    return ObjectStateStore(StoreContext.of(objects, Layout(), deadline=1))
def caused(error, cause):
    error.__cause__ = cause
"""


def run(folder: Path, leaks: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest with the plugin and a test for each leak, all of which pass."""
    (folder / "conftest.py").write_text(PLUGIN.format(tests=str(TESTS)))
    tests = [f"def test_{number}():\n    {leak}\n" for number, leak in enumerate(leaks)]
    (folder / "test_leaking.py").write_text(HEAD + "".join(tests))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{len(leaks)} passed" in done.stdout
    return done


@pytest.mark.slow
def test_a_run_that_leaks_a_credential_fails(tmp_path: Path) -> None:
    done = run(tmp_path, list(LEAKS.values()))
    assert done.returncode == LEAKED
    for number, where in enumerate(LEAKS):
        said = re.sub("'s .*| as .*", "", where)
        leaked_by = f"test_leaking.py::test_{number}"
        assert f"{said} holds the AWS secret key, during or before {leaked_by}" in done.stdout


@pytest.mark.slow
def test_a_worker_hands_over_what_it_has_found(tmp_path: Path) -> None:
    done = run(tmp_path, [LEAKS["an error"]], "-n", "1")
    assert done.returncode == LEAKED
    assert "an error holds the AWS secret key" in done.stdout


@pytest.mark.slow
def test_a_run_without_a_leak_passes(tmp_path: Path) -> None:
    done = run(tmp_path, ["print(errors.Unavailable('it failed'))"])
    assert (done.returncode, "leaked" in done.stdout) == (0, False)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://x/y?sv=1&sig=" + "Ab%2F" * 6, "a SAS signature"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=" + "0f" * 32,
            "an AWS signature",
        ),
        (f"AccountName=a;{'Account'}Key={'k' * 12};", "an account key"),
        (f"key {AZURE_KEY}", "Azurite's account key"),
        ("Bearer " + "ya29.abcdefgh", "a bearer token"),
        ("a signature that is wrong, sig=…, Bearer realm", None),
    ],
)
def test_what_is_a_credential(text: str, secret: str | None) -> None:
    assert secret_in(text) == secret
    assert secret is None or secret in SECRETS


@pytest.fixture
def own_ear(request: pytest.FixtureRequest) -> Callable[[], SecretScanner]:
    """The run's scanner, which has scanned nothing since."""

    def make() -> SecretScanner:
        plugin: Any = request.config.pluginmanager.get_plugin("secret_scan")
        scanner: SecretScanner = plugin.scanner
        scanner.scanned.clear()
        return scanner

    return make


CALLS = ("get", "set", "save_snapshot", "list_snapshots", "delete_execution_state", "sweep")


@pytest.mark.asyncio
async def test_no_call_on_s3_leaks_key_or_session_token(
    moto: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_ear: Callable[[], SecretScanner],
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    ids = Ids("e1", "k", "r", "acme")
    with (
        deployment_on("s3", moto, tmp_path) as deployment,
        FaultProxy("127.0.0.1", deployment.port) as proxy,
    ):
        scanner = own_ear()
        async with deployment.open(proxy.url, deadline=0.3) as store:
            await drive(store, "set", ids)
            assert proxy.requests[0].header("x-amz-security-token") == TOKEN
            for fault in (
                Answer(400, (), EXPIRED.encode()),
                Answer(403, (), MISMATCH.encode()),
                DropReply(),
                CutBody(),
                Answer(500, (), b"<Error>"),
            ):
                for call in CALLS:
                    proxy.plan(fault)
                    await drive(store.tenant("acme"), call, ids)
                    proxy.heal()
    gc.collect()
    assert scanner.leaks == []
    assert scanner.scanned["an error"] > 15
    assert scanner.scanned["a log line"] > 5

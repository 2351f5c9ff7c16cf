"""The blocking store on Cloud Storage: no event loop, with tokens of the machine."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from adapters.gcs.http.conftest import granted, tokens_of
from support.competing_processes import environ

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.gcs_bucket import Around

CODE = """
import sys, threading
from statebucket.sync import open_store

with open_store(sys.argv[1]) as store:
    acme = store.tenant("acme")
    acme.save_snapshot(acme.snapshot("e1"))
    assert acme.load_snapshot("e1").execution_id == "e1"
    threads = [threading.Thread(target=acme.set, args=(f"k{n}", b"v")) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [acme.get(f"k{n}") for n in range(4)] == [b"v"] * 4
    assert acme.delete("k0") is True
print("asyncio" in sys.modules, "google.auth" in sys.modules, "requests" in sys.modules)
"""


def test_it_needs_no_event_loop_and_one_token(
    proxy: FaultProxy, around: Around, metadata: FaultProxy
) -> None:
    metadata.always(granted("t1"))
    url = f"gs://{around.bucket}?engine=http&endpoint_url={proxy.url}"
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", CODE, url],
        env=environ({"GCE_METADATA_HOST": f"127.0.0.1:{metadata.port}"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "False False False\n", "")
    assert set(tokens_of(proxy)) == {"Bearer t1"}
    assert len(metadata.requests) == 1

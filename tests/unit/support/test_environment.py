"""The environment of the test run: nothing of the shell's but a proxy, for downloads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.environment import for_downloads, isolate

if TYPE_CHECKING:
    import pytest

NEEDED = {"PATH": "/bin", "HOME": "/home/me", "STATEBUCKET_AZURITE_DIR": "/azurite"}
PROXY = {"https_proxy": "http://proxy:3128", "NO_PROXY": "localhost", "SSL_CERT_FILE": "/ca.pem"}
LEADS_ELSEWHERE = (
    *("AWS_PROFILE", "AZURE_CLIENT_ID", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"),
    *("STATEBUCKET_URL", "STATEBUCKET_PARTITION", "STORAGE_EMULATOR_HOST", "IDENTITY_ENDPOINT"),
    *("SLURM_ARRAY_TASK_ID", "LANGSMITH_TRACING", "FORCE_COLOR"),
)


def test_nothing_of_the_shells_reaches_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", NEEDED | PROXY | dict.fromkeys(LEADS_ELSEWHERE, "x"))
    for _ in range(2):  # a worker inherits what is left
        isolate()
        set_aside = os.environ.keys() - NEEDED.keys()
        assert len(set_aside) == len(PROXY)
        assert not [name for name in set_aside if name in PROXY or name.lower().endswith("_proxy")]
        assert {name: os.environ[name] for name in NEEDED} == NEEDED
    assert for_downloads() == NEEDED | PROXY

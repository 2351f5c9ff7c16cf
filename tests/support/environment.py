"""The environment of the test run, whatever the shell is set to that starts it."""

from __future__ import annotations

import os

# What leads our code, or a library below it, to another place, account or output.
_REMOVED = (
    *("AWS_", "AZURE_", "GOOGLE_", "STATEBUCKET_"),
    *("BOTO", "CLOUDSDK_", "GCE_", "NO_GCE_", "STORAGE_EMULATOR_", "API_ENDPOINT_OVERRIDE"),
    *("IDENTITY_", "MSI_", "CLOUD_RUN_", "FUNCTION_", "GAE_", "K_SERVICE"),
    *("BATCH_", "JOB_COMPLETION", "SLURM_ARRAY_"),
    *("DASK_", "LANGCHAIN_", "LANGSMITH_", "OTEL_"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "PY_COLORS", "COLORTERM", "COLUMNS", "LINES"),
    *("GITHUB_ACTIONS", "TERMINAL_WIDTH", "TYPER_", "_TYPER_", "TTY_"),
    *("PYTHONWARNINGS", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG", "GIT_"),
)
_KEPT = {"STATEBUCKET_AZURITE_DIR"}  # where the tests' own Azurite is
_CERTIFICATES = {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
_SET_ASIDE = "_FOR_DOWNLOADS"


def isolate() -> None:
    """Removes what would change a test, in this process and those that it starts.

    A proxy and its certificates are kept under other names, for `for_downloads`.
    """
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in _CERTIFICATES:
            os.environ[name + _SET_ASIDE] = os.environ.pop(name)
        elif name.startswith(_REMOVED) and name not in _KEPT:
            del os.environ[name]


def for_downloads() -> dict[str, str]:
    """The environment for a program that downloads packages: with the shell's proxy."""
    return {name.removesuffix(_SET_ASIDE): value for name, value in os.environ.items()}

"""The clouds' function runtimes, each in a process that ends without cleaning up.

Each platform is a context manager: it starts the handler's process as the cloud does, and gives a
`Started`, whose ``invoke`` sends an event and returns the handler's answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from functions.runtime_api import RuntimeAPI
from support.competing_processes import environ
from support.servers.ports import HOST, ServerFailed, free_port, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

EXAMPLES = Path(__file__).parents[2] / "terraform" / "examples"
_PATIENCE_S = 60.0

# The limits of a small function: memory that it may fill, and the last place in the queue for the
# processor. Linux counts what can be written to, which is close to what a function is billed for.
_SMALL = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
os.nice(19)
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass
class Started:
    """A handler's process.

    Attributes:
        invoke: Sends it an event, and returns its answer.
        process: The process, or the first of them.
    """

    invoke: Callable[[dict[str, Any]], dict[str, Any]]
    process: subprocess.Popen[str]

    def freeze(self) -> None:
        """Stops the process in its tracks, as platforms do between two events."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        self.process.send_signal(signal.SIGCONT)

    def peak_bytes(self) -> int:
        """The most memory it has held, resident, so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


@contextmanager
def aws_lambda(
    env: Mapping[str, str],
    memory: int | None = None,
    *,
    folder: Path = EXAMPLES / "aws-lambda",
    handler: str = "handler.handler",
    seconds: float = 30,
) -> Iterator[Started]:
    """Lambda: its runtime client asks a Runtime API for events; the process is killed at the end.

    Args:
        env: What to add to the environment.
        memory: The most bytes that it may fill, with the lowest priority; None for no limit.
        folder: Where the handler's module is.
        handler: The module and function, as Lambda is configured.
        seconds: The function's timeout, as it is told.
    """
    command = [sys.executable, "-m", "awslambdaric", handler]
    with (
        RuntimeAPI(seconds) as api,
        _process(
            command if memory is None else [sys.executable, "-c", _SMALL, str(memory), *command],
            folder,
            {**env, "AWS_LAMBDA_RUNTIME_API": api.address, "AWS_LAMBDA_FUNCTION_NAME": "step"},
        ) as process,
    ):
        yield Started(lambda event: api.invoke(event, process, _PATIENCE_S), process)


@contextmanager
def google_function(env: Mapping[str, str]) -> Iterator[Started]:
    """Cloud Run functions: the Functions Framework, whose server forks after loading the module."""
    framework = [sys.executable, "-m", "functions_framework"]
    command = [*framework, "--target", "handler", "--source", "main.py", "--host", HOST]

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        return _post(f"http://{HOST}:{port}/", event)

    with ExitStack() as stack:
        for again in (True, False):
            port = free_port()
            started = _process(
                [*command, "--port", str(port)], EXAMPLES / "gcp-function", env, kill=False
            )
            process = stack.enter_context(started)
            try:
                wait_until_ready(port, process, _PATIENCE_S)  # type: ignore[arg-type]  # text or bytes
                break
            except ServerFailed:
                # Its port may have been taken in the second in which the framework is imported.
                if not again:
                    raise
                stack.close()
        yield Started(invoke, process)


@contextmanager
def azure_function(env: Mapping[str, str]) -> Iterator[Started]:
    """Azure Functions: a worker that loads the app and calls its function with a request."""
    worker = str(Path(__file__).with_name("azure_worker.py"))
    with _process(
        [sys.executable, worker], EXAMPLES / "azure-function", env, stdin=subprocess.PIPE
    ) as process:

        def invoke(event: dict[str, Any]) -> dict[str, Any]:
            _pipe(process.stdin).write(f"{json.dumps(event)}\n")
            _pipe(process.stdin).flush()
            answer = _pipe(process.stdout).readline()
            assert answer, "the worker ended"
            found: dict[str, Any] = json.loads(answer)
            return found

        yield Started(invoke, process)


@contextmanager
def _process(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    kill: bool = True,
) -> Iterator[subprocess.Popen[str]]:
    """Run a process in a session of its own, and end it."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ({**env, "PYTHONDONTWRITEBYTECODE": "1"}),
        stdin=stdin,
        stdout=subprocess.PIPE if stdin == subprocess.PIPE else subprocess.DEVNULL,
        start_new_session=True,  # with the processes that it starts
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)


def _post(url: str, event: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(event).encode()
    request = Request(url, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=_PATIENCE_S) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe

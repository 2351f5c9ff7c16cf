"""Lambda's Runtime API, from which a runtime client fetches events and to which it replies."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from support.servers.ports import HOST

if TYPE_CHECKING:
    import subprocess

_BASE = "/2018-06-01/runtime/invocation/"


class FunctionFailed(Exception):
    """The handler raised an error, or its process ended."""


class RuntimeAPI:
    """The API, for one process of one function.

    Args:
        seconds: How long an invocation may take, as the function is told.

    Attributes:
        address: What AWS_LAMBDA_RUNTIME_API is to say.
    """

    def __init__(self, seconds: float = 30) -> None:
        self._seconds = seconds
        self._events: Queue[tuple[str, bytes] | None] = Queue()
        self._answers: Queue[tuple[str, bytes]] = Queue()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def invoke(
        self, event: dict[str, Any], process: subprocess.Popen[str], patience: float
    ) -> dict[str, Any]:
        """Give an event to the function, and return its answer.

        Raises:
            FunctionFailed: It raised an error, or gave no answer.
        """
        self._events.put((str(uuid4()), json.dumps(event).encode()))
        until = time.monotonic() + patience
        while time.monotonic() < until and process.poll() is None:
            try:
                kind, body = self._answers.get(timeout=0.1)
            except Empty:
                continue
            if kind == "response":
                answer: dict[str, Any] = json.loads(body)
                return answer
            raise FunctionFailed(body.decode())
        raise FunctionFailed(f"no answer; the process ended with {process.poll()}")

    def _handler(api) -> type[BaseHTTPRequestHandler]:  # noqa: N805  (self is the handler's)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = api._events.get() if self.path == f"{_BASE}next" else None
                if found is None:  # the end
                    self.close_connection = True
                    return
                request_id, body = found
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                deadline = time.time() + api._seconds
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn",
                    "arn:aws:lambda:us-east-1:123456789012:function:step",
                )
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-0;Sampled=0")
                self.send_header("Content-Type", "application/json")
                self._end(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(202)
                self._end(b"")
                api._answers.put((self.path.rpartition("/")[2], body))

            def _end(self, body: bytes) -> None:
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

"""moto as the fixture runs it: in a thread of the test process, with one ``Server`` header a reply.

moto's own server sends two, which aiohttp refuses under ``python -X dev`` and PYTHONASYNCIODEBUG.
And it looks at a condition before it acts, so that of two writers at one time both may succeed,
which S3 excludes: here it handles one request at a time.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from http import HTTPStatus
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class _Handler(WSGIRequestHandler):
    """Leaves the ``Server`` header to moto, which names the service that it plays."""

    def send_response(self, code: int | HTTPStatus, message: str | None = None) -> None:
        """Sends the status line and the date."""
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())


def in_turn(application: WSGIApplication) -> WSGIApplication:
    """Handles each request before the next, once all of it has come."""
    lock = threading.Lock()

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Before its turn: a client that stops in the middle of a body would stop all others.
        try:
            environ["wsgi.input"] = BytesIO(get_input_stream(environ).read())
        except ClientDisconnected as gone:  # werkzeug would print a traceback
            return gone(environ, start_response)
        with lock:
            return application(environ, start_response)

    return wrapped


@contextmanager
def serve() -> Iterator[str]:
    """Runs an empty moto on a free port of 127.0.0.1.

    Yields:
        Its URL.
    """
    application = in_turn(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, name="statebucket-moto", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

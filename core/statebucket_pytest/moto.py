"""moto as the fixture runs it: in a thread of the test process, with one ``Server`` header a reply.

moto's own server sends two, which aiohttp refuses under ``python -X dev`` and PYTHONASYNCIODEBUG.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http import HTTPStatus


class _Handler(WSGIRequestHandler):
    """Leaves the ``Server`` header to moto, which names the service that it plays."""

    def send_response(self, code: int | HTTPStatus, message: str | None = None) -> None:
        """Sends the status line and the date."""
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())


@contextmanager
def serve() -> Iterator[str]:
    """Runs an empty moto on a free port of 127.0.0.1.

    Yields:
        Its URL.
    """
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, name="statebucket-moto", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""moto's server, which looks at a condition and acts in one step, as S3 does.

moto does so in two, between which another of its threads may act: on a busy machine two of twenty
writers that replaced the same version have succeeded. Here one request is handled after the other.
Run as a program, it takes the options of ``moto_server``.
"""

from __future__ import annotations

from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

from moto import server
from werkzeug.serving import run_simple
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def in_turn(app: WSGIApplication) -> WSGIApplication:
    """Handles each request before the next, once all of it has come."""
    lock = Lock()

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Before its turn: a client that stops in the middle of a body would stop all others.
        environ["wsgi.input"] = BytesIO(get_input_stream(environ).read())
        with lock:
            return app(environ, start_response)

    return wrapped


def serve(host: str, port: int, app: WSGIApplication, **options: Any) -> None:
    """Serves as moto's own program does, one request at a time."""
    run_simple(host, port, in_turn(app), **options)


if __name__ == "__main__":
    vars(server)["run_simple"] = serve
    server.main()

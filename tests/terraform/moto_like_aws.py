"""moto's server, nearer to AWS in two ways.

AWS echoes ``<ObjectSizeGreaterThan>0</ObjectSizeGreaterThan>`` in a lifecycle filter of several
conditions; moto drops it, and the provider then waits for it until it times out. AWS looks at a
condition and acts in one step; moto does so in two, between which another thread may act. Run as a
program, this serves moto on a port of the loopback address.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.wrappers import Response

from statebucket_pytest.moto import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_ECHO = b"<ObjectSizeGreaterThan>0</ObjectSizeGreaterThan>"


def as_aws_echoes(app: WSGIApplication) -> WSGIApplication:
    """Adds the missing element to each reply about lifecycle rules."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or "lifecycle" not in environ["QUERY_STRING"]:
            return app(environ, start_response)
        response = Response.from_app(app, environ, buffered=True)
        body = response.get_data()
        if _ECHO not in body:
            response.set_data(body.replace(b"</And>", _ECHO + b"</And>"))
        return response(environ, start_response)

    return wrapped


if __name__ == "__main__":
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        as_aws_echoes(in_turn(DomainDispatcherApplication(create_backend_app))),
        threaded=True,
    )

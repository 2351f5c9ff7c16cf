"""moto's server, which looks at a condition and acts in one step, as S3 does.

moto does so in two, between which another of its threads may act: on a busy machine two of twenty
writers that replaced the same version have succeeded. Here one request is handled after the other.
Run as a program, it takes the options of ``moto_server``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto import server
from werkzeug.serving import run_simple

from statebucket_pytest.moto import in_turn

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def serve(host: str, port: int, app: WSGIApplication, **options: Any) -> None:
    """Serves as moto's own program does, one request at a time."""
    run_simple(host, port, in_turn(app), **options)


if __name__ == "__main__":
    vars(server)["run_simple"] = serve
    server.main()

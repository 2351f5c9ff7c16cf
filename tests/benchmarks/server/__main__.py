"""Serves the three services, each on its own port, plain and over TLS, until stdin ends.

The first line printed is JSON: the ports. Besides the services each port answers ``/-/count`` (the
requests so far), ``/-/size`` (the objects), ``/-/clear`` and ``/-/seed`` (objects of one body under
numbered names).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from typing import TYPE_CHECKING

import uvloop

from benchmarks.server.azure import Azure
from benchmarks.server.gcs import GCS
from benchmarks.server.http import Protocol, Reply, Request
from benchmarks.server.s3 import S3
from benchmarks.server.storage import Entry, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

_ADMIN = "/-/"


class Counted:
    """A service whose requests are counted."""

    def __init__(self, make: Callable[[Storage], Callable[[Request], Reply]]) -> None:
        self._storage = Storage()
        self._service = make(self._storage)
        self._count = 0

    def __call__(self, request: Request) -> Reply:
        if request.path.startswith(_ADMIN):
            return self._admin(request)
        self._count += 1
        return self._service(request)

    def _admin(self, request: Request) -> Reply:
        match request.path.removeprefix(_ADMIN):
            case "count":
                return Reply(200, {}, str(self._count).encode())
            case "size":
                size = sum(len(container.entries) for container in self._storage.values())
                return Reply(200, {}, str(size).encode())
            case "clear":
                self._storage.clear()
                return Reply(204)
            case "seed":
                how = json.loads(request.body)
                names = [how["name"].format(number) for number in range(how["count"])]
                entry = Entry(how["body"].encode(), how["content_type"])
                self._storage[how["container"]].put_many(names, entry)
                return Reply(204)
        return Reply(404)


async def serve(latency: float, certificate: str | None) -> None:
    """Serves until stdin ends."""
    loop = asyncio.get_running_loop()
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    ports: dict[str, dict[str, int]] = {}
    for name, service in {"s3": Counted(S3), "gcs": Counted(GCS), "azure": Counted(Azure)}.items():
        ports[name] = {}
        for kind in ["plain", "tls"] if context else ["plain"]:
            server = await loop.create_server(
                lambda service=service: Protocol(service, latency),
                "127.0.0.1",
                0,
                ssl=context if kind == "tls" else None,
            )
            ports[name][kind] = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--certificate", help="a PEM file of key and chain, for TLS")
    given = parser.parse_args()
    uvloop.run(serve(given.latency, given.certificate))


if __name__ == "__main__":
    main()

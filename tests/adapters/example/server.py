"""A dictionary behind HTTP: the service that the example adapter is written for.

``GET``, ``HEAD``, ``PUT`` and ``DELETE`` of ``/objects/NAME``, with ``If-Match`` and
``If-None-Match: *``. ``GET /objects?prefix=&after=&limit=`` lists names, with ``delimiter=/`` the
prefixes. A version is a counter, unique to each write; metadata is one header in JSON, and
``X-Keep-Days`` a label that rules use. ``GET /me`` names the caller. ``GET`` and ``PUT /rules`` are
the rules by which the service removes objects; ``If-Match`` is their revision.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(NamedTuple):
    """The object stored under a name."""

    version: str
    metadata: str
    body: bytes
    keep_days: str = ""
    written: float = 0.0


class DictionaryServer(ThreadingHTTPServer):
    """The server; `objects` is the dictionary."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Entry] = {}
        self.lock = threading.Lock()
        self.versions = itertools.count(1)
        self.rules: list[dict[str, Any]] | None = []  # None on an old server
        self.revision = 0
        self.me = {"user": "function-7", "may": ["read", "write"]}
        self.denied = ""  # paths that begin with this get a 403


@contextmanager
def running_dictionary() -> Iterator[DictionaryServer]:
    """Runs a server in a thread."""
    server = DictionaryServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DictionaryServer

    def do_GET(self) -> None:
        if self._refused():
            return
        if self.path in {"/me", "/rules"}:
            server = self.server
            said = server.me if self.path == "/me" else server.rules
            status = 404 if said is None else 200
            self._answer(status, json.dumps(said).encode(), {"ETag": str(server.revision)})
            return
        parts = urlsplit(self.path)
        if parts.query:
            self._list({key: values[0] for key, values in parse_qs(parts.query).items()})
            return
        found = self.server.objects.get(self._name())
        if found is None:
            self._answer(404)
        else:
            headers = {
                "ETag": found.version,
                "X-Metadata": found.metadata,
                "X-Size": str(len(found.body)),
            }
            self._answer(200, found.body, headers)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        if self.path == "/rules":
            self._put_rules(json.loads(body))
            return
        with self.server.lock:
            if not self._condition_holds():
                self._answer(412)
                return
            version = str(next(self.server.versions))
            label = self.headers["X-Keep-Days"] or ""
            entry = Entry(version, self.headers["X-Metadata"], body, label, time.time())
            self.server.objects[self._name()] = entry
        self._answer(200, headers={"ETag": version})

    def do_DELETE(self) -> None:
        with self.server.lock:
            if self._name() not in self.server.objects:
                self._answer(404)
            elif not self._condition_holds():
                self._answer(412)
            else:
                del self.server.objects[self._name()]
                self._answer(204)

    def _refused(self) -> bool:
        refused = bool(self.server.denied) and self.path.startswith(self.server.denied)
        if refused:
            self._answer(403, headers={"X-Code": "NotYours"})
        return refused

    def _put_rules(self, rules: list[dict[str, Any]]) -> None:
        with self.server.lock:
            if self.headers["If-Match"] != str(self.server.revision):
                self._answer(412)
                return
            self.server.rules, self.server.revision = rules, self.server.revision + 1
        self._answer(204)

    def _list(self, query: dict[str, str]) -> None:
        prefix, after, limit = query["prefix"], query.get("after", ""), int(query["limit"])
        with self.server.lock:
            objects = {n: e for n, e in sorted(self.server.objects.items()) if n.startswith(prefix)}
        rows: list[object]
        if query.get("delimiter"):
            heads = (n[len(prefix) :].partition("/") for n in objects)
            found = dict.fromkeys(f"{prefix}{head}/" for head, slash, _ in heads if slash)
            rows = [name for name in found if name > after]
        else:
            rows = [
                [n, e.version, len(e.body), json.loads(e.metadata), e.written]
                for n, e in objects.items()
                if n > after
            ]
        self._answer(200, json.dumps(rows[:limit]).encode())

    def _condition_holds(self) -> bool:
        found = self.server.objects.get(self._name())
        if self.headers["If-None-Match"] == "*":
            return found is None
        wanted = self.headers["If-Match"]
        return wanted is None or (found is not None and found.version == wanted)

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path.removeprefix("/objects/"))

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

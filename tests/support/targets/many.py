"""Stores thousands of objects quickly: plain requests, without the overhead of a client."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CONNECTIONS = 4


def put_all(url: str, puts: Iterable[tuple[str, Mapping[str, str]]], body: bytes) -> None:
    """Stores the same body under each path of a server.

    Args:
        url: The server.
        puts: The path, with its query, and the headers of each request.
        body: What to store.
    """
    asked = list(puts)
    parts = urlsplit(url)

    def some(first: int) -> None:
        with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            for path, headers in asked[first::_CONNECTIONS]:
                connection.request("PUT", path, body, dict(headers))
                reply = connection.getresponse()
                answer = reply.read()
                assert reply.status in {200, 201}, (reply.status, answer)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(some, range(_CONNECTIONS)))

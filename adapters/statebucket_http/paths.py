"""The path of an object, percent-encoded."""

from __future__ import annotations

import re
from urllib.parse import quote

from statebucket.errors import RequestRejected

_PLAIN = re.compile(r"[A-Za-z0-9_~-]+(?:[/.][A-Za-z0-9_~-]+)*")


def path_of(name: str) -> str:
    """An object's path.

    Raises:
        RequestRejected: A segment is ``.`` or ``..``, which HTTP clients resolve: the request
            would be about another object.
    """
    if _PLAIN.fullmatch(name):  # whatever a store writes: `quote` takes ten times as long
        return f"/{name}"
    if "./" in name or name.endswith("."):
        for segment in name.split("/"):
            if segment in {".", ".."}:
                raise RequestRejected(f"object names must not contain the segment {segment!r}")
    return f"/{quote(name, safe='/~')}"

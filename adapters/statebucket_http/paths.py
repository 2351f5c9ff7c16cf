"""The path of an object, percent-encoded."""

from __future__ import annotations

from statebucket.errors import RequestRejected
from statebucket.port.url import quoted


def path_of(name: str) -> str:
    """An object's path.

    Raises:
        RequestRejected: A segment is ``.`` or ``..``, which HTTP clients resolve: the request
            would go to another object.
    """
    if "./" in name or name.endswith("."):
        for segment in name.split("/"):
            if segment in {".", ".."}:
                raise RequestRejected(f"object names must not contain the segment {segment!r}")
    return f"/{quoted(name, slashes=True)}"

"""The endpoint of a URL that the user gave."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument
from statebucket.port.url import split, without_query
from statebucket_http.wire import Endpoint

if TYPE_CHECKING:
    from urllib.parse import SplitResult

# The characters of a path that every HTTP client sends as they were signed.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
_PORTS = {"http": 80, "https": 443}


def parts_of(url: str, what: str) -> SplitResult:
    """The parts of a URL that the environment names.

    Args:
        url: The URL.
        what: What named it, for errors.

    Raises:
        InvalidArgument: It cannot be taken apart; the message hides whatever may be a secret.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415  (2 ms that most cold starts do without)

    with suppress(ValueError):
        return urlsplit(url)
    # Outside of the handler: urlsplit's error, which would be the context, may show a password.
    raise InvalidArgument(f"{what} is not a valid URL: {without_query(url)!r}")


def endpoint_at(url: str, what: str = "endpoint_url") -> Endpoint:
    """The endpoint at a URL, without a region.

    Args:
        url: The URL, of a server or a path on it.
        what: What named it, for errors.

    Raises:
        InvalidArgument: The URL is not valid; the message hides whatever may be a secret.
    """
    shown = without_query(url)
    if not shown:
        raise InvalidArgument(f"{what} must begin with http:// or https://")
    try:
        parts = split(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in _PORTS or parts.query or "@" in url:
        raise InvalidArgument(
            f"{what} must be http://host or https://host, without user or query: {shown!r}"
        )
    name = f"[{host}]" if ":" in host else host
    authority = name if port in {None, _PORTS[parts.scheme]} else f"{name}:{port}"
    base = parts.path.rstrip("/")
    for segment in base.split("/")[1:]:
        if segment in {"", ".", ".."} or not _PLAIN.issuperset(segment):
            raise InvalidArgument(
                f"the path of {what} must be letters, digits and -_.~ , without segments that are "
                f"empty, '.' or '..': {base!r}"
            )
    return Endpoint(parts.scheme, authority, base, "")

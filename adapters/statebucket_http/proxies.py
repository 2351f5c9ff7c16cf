"""The proxy that the environment names for a host."""

from __future__ import annotations

import os
import sys

from statebucket.port.bucket import Confidential

_SYSTEMS = frozenset({"darwin", "win32"})  # whose system settings may name proxies, too
_SCHEMES = frozenset({"http"})
_PORT = 80


class Proxy(Confidential, frozen=True):
    """An HTTP proxy.

    Attributes:
        host: Its host.
        port: Its port.
        authorization: The value of ``proxy-authorization``; None without a user.
    """

    host: str
    port: int
    authorization: str | None

    def __repr__(self) -> str:
        return f"Proxy({self.host!r}, {self.port})"


def proxy_of(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy for an endpoint; see `statebucket.port.endpoint.proxy_for`.

    Args:
        scheme: "http" or "https".
        host: The endpoint's host.
        port: Its port.

    Raises:
        InvalidArgument: The environment's proxy cannot be used; the message does not show it, since
            it may contain a password.
    """
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform not in _SYSTEMS:
        return None
    from urllib.parse import urlsplit  # noqa: PLC0415  (off the cold-start path)

    from statebucket.port.endpoint import proxy_for  # noqa: PLC0415  (as above)

    shown = f"[{host}]" if ":" in host else host
    found = proxy_for(f"{scheme}://{shown}:{port}", schemes=_SCHEMES)
    if found is None:
        return None
    parts = urlsplit(found.url)
    return Proxy(parts.hostname or "", parts.port or _PORT, found.authorization)

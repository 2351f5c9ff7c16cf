"""The proxy that the environment names for a host, read as Python's urllib and botocore do."""

from __future__ import annotations

import os
import re
import sys
from base64 import b64encode
from typing import NamedTuple

from statebucket.errors import InvalidArgument

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?:(?P<user>[^/?#@:]*)(?::(?P<password>[^/?#@]*))?@)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_MAX_PORT = 65535


class Proxy(NamedTuple):
    """An HTTP proxy.

    Attributes:
        host: Its host.
        port: Its port.
        authorization: What ``proxy-authorization`` says; None without a user.
    """

    host: str
    port: int
    authorization: str | None

    def __repr__(self) -> str:
        return f"Proxy({self.host!r}, {self.port})"  # the rest is a password


def proxy_of(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy for an endpoint.

    Args:
        scheme: "http" or "https".
        host: The endpoint's host.
        port: Its port.

    Raises:
        InvalidArgument: What the environment names is no proxy that can be used; the message does
            not show it, since it may hold a password.
    """
    named = {
        name.lower(): value for name, value in os.environ.items() if name.lower().endswith("_proxy")
    }
    # Where both spellings are set, the lower one counts.
    named |= {name: os.environ[name] for name in named if name in os.environ}
    if scheme == "http" and "REQUEST_METHOD" in os.environ and "http_proxy" not in os.environ:
        named.pop("http_proxy", None)  # in a CGI script it is a header of the client's
    if not named and sys.platform in {"darwin", "win32"}:
        named = _of_system(host)
    url = named.get(f"{scheme}_proxy")
    if not url or _bypassed(host, port, named.get("no_proxy", "")):
        return None
    return _parsed(url, f"{scheme}_proxy")


def _of_system(host: str) -> dict[str, str]:
    """The proxies in the settings of macOS or Windows."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  (slow)

    if proxy_bypass(host):
        return {}
    return {f"{scheme}_proxy": url for scheme, url in getproxies().items()}


def _bypassed(host: str, port: int, exceptions: str) -> bool:
    if exceptions == "*":
        return True
    host = host.lower()
    for one in exceptions.lower().split(","):
        name = one.strip().lstrip(".")
        if name and any(
            asked == name or asked.endswith(f".{name}") for asked in (host, f"{host}:{port}")
        ):
            return True
    return False


def _parsed(url: str, name: str) -> Proxy:
    parts = _URL.fullmatch(url.strip())
    port = 80 if parts is None or parts["port"] is None else int(parts["port"])
    if parts is None or not 0 < port <= _MAX_PORT:
        raise InvalidArgument(
            f"{name} is not a valid proxy URL: it must be http://host:port, with user:password@ "
            "before the host where the proxy needs them, percent-encoded"
        )
    scheme = (parts["scheme"] or "http").lower()
    if scheme != "http":
        raise InvalidArgument(
            f"{name} names a proxy of {scheme}://: engine=http supports http:// proxies only"
        )
    authorization = None
    if parts["user"] is not None:
        user = _unescaped(parts["user"]) + b":" + _unescaped(parts["password"] or "")
        authorization = f"Basic {b64encode(user).decode()}"
    return Proxy(parts["host"].strip("[]"), port, authorization)


def _unescaped(text: str) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode("utf-8", "replace"))

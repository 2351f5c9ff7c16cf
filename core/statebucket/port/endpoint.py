"""How an endpoint may be reached: over TLS, and through the proxies that the environment names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument
from statebucket.port.bucket import Confidential
from statebucket.port.url import split, without_query

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_HOST = r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+"  # a name, or an IP address
_PORTS = {"http": 80, "https": 443}
_PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


class Proxy(Confidential, frozen=True):
    """A proxy that the environment names.

    Attributes:
        url: Its URL, without user and password.
        user: The user and password, ``user:password``, decoded; empty if there are none. Keep
            it out of messages.
    """

    url: str
    user: str

    @property
    def authorization(self) -> str | None:
        """The header ``Proxy-Authorization`` for it; None if it needs none."""
        if not self.user:
            return None
        from base64 import b64encode  # noqa: PLC0415  (few have a proxy)

        pair = self.user if ":" in self.user else f"{self.user}:"
        return f"Basic {b64encode(pair.encode()).decode()}"

    def with_user(self) -> str:
        """Its URL with user and password, for clients that need them in the URL."""
        from urllib.parse import quote  # noqa: PLC0415  (as above)

        user, colon, password = self.user.partition(":")
        scheme, _, host = self.url.partition("://")
        secret = f"{quote(user, safe='')}{colon}{quote(password, safe='')}@" if self.user else ""
        return f"{scheme}://{secret}{host}"

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"


def require_tls(url: str, *, insecure: bool = False) -> None:
    """Refuses to send credentials over plain HTTP to another machine.

    Args:
        url: The endpoint that credentials, or signatures made with them, would be sent to.
        insecure: Whether the caller has allowed it, with ``insecure_endpoint=true``.

    Raises:
        InvalidArgument: It is ``http://`` and neither loopback nor allowed.
    """
    parts = split(url)
    if parts.scheme != "http" or insecure or is_loopback(parts.hostname or ""):
        return
    raise InvalidArgument(
        f"credentials would be sent in clear text to {without_query(url)!r}: use https://, or, for "
        "a server in a network that you trust, set insecure_endpoint=true"
    )


def is_loopback(host: str) -> bool:
    """Whether a host (a name, or an address without brackets) is this machine."""
    if host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost"):
        return True
    address = _address_of(host)
    return address is not None and address.is_loopback


def is_private_link(host: str) -> bool:
    """Whether a host (a name, or an address without brackets) is this machine or link-local.

    Metadata servers have link-local addresses (169.254.169.254).
    """
    if is_loopback(host):
        return True
    address = _address_of(host)
    return address is not None and address.is_link_local


def is_private_network(host: str) -> bool:
    """Whether a host (a name, or an address without brackets) is an address of a private network.

    A platform that runs code may have its own services there.
    """
    address = _address_of(host)
    if address is None:
        return False
    from ipaddress import ip_network  # noqa: PLC0415  (as below)

    return any(address in ip_network(network) for network in _PRIVATE_NETWORKS)


def _address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is; None for a name."""
    if ":" not in host and host.strip("0123456789."):
        return None
    from ipaddress import ip_address  # noqa: PLC0415  (2 ms, and most hosts have names)

    try:
        return ip_address(host)
    except ValueError:
        return None


def needs_no_proxy(scheme: str, host: str) -> bool:
    """Whether a request must not go through a proxy: plain HTTP to this machine or its own link.

    It may carry credentials, and a metadata server's reply does, which a proxy on another machine
    would receive in clear text. And that machine's metadata server would give it that machine's.

    Args:
        scheme: "http" or "https".
        host: A name, or an address without brackets.
    """
    return scheme == "http" and is_private_link(host)


def proxy_for(url: str, *, schemes: frozenset[str] = frozenset({"http", "https"})) -> Proxy | None:
    """The proxy that the environment names for a URL, or None.

    The variables are ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, in either
    case. A proxy may be written without a scheme, which is then ``http``, and an IPv6 address in
    ``no_proxy`` with or without brackets. The ``.netrc`` file is not read. For what goes through no
    proxy see `needs_no_proxy`.

    Args:
        url: Where the request goes.
        schemes: The schemes of proxies that the client supports.

    Raises:
        InvalidArgument: The variable is not a proxy's URL. The message does not show it, since it
            may contain a password.
    """
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  (slow to load)

    named = getproxies()
    parts = split(url)
    scheme = parts.scheme if parts.scheme in named else "all"
    text = named.get(scheme)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    if needs_no_proxy(parts.scheme, host):
        return None
    forms = [f"{host}:{port}", f"[{host}]:{port}"] if ":" in host else [f"{host}:{port}"]
    if not text or any(map(proxy_bypass, forms)) or _in_network(host, named.get("no", "")):
        return None
    text = text.strip()
    proxy = _read(text if "://" in text else f"http://{text}", schemes)
    if proxy is None:
        urls = " or ".join(f"{name}://host:port" for name in sorted(schemes))
        raise InvalidArgument(
            f"{scheme}_proxy (or {scheme.upper()}_PROXY) is not a valid proxy URL: it must be "
            f"{urls}, with user:password@ before the host where the proxy needs them, "
            "percent-encoded"
        )
    return proxy


def _read(text: str, schemes: frozenset[str]) -> Proxy | None:
    """A proxy's URL; None if it is not one."""
    try:
        parts = split(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme not in schemes or not re.fullmatch(_HOST, host) or port == 0:
        return None
    if parts.path not in {"", "/"} or parts.query or parts.fragment or not text.isprintable():
        return None
    from urllib.parse import unquote  # noqa: PLC0415  (as above)

    user = unquote(parts.netloc.rpartition("@")[0])
    if not (user.isascii() and (not user or user.isprintable())):
        return None
    shown = f"[{host}]" if ":" in host else host
    return Proxy(f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else ""), user)


def _in_network(host: str, excluded: str) -> bool:
    """Whether ``no_proxy`` excludes the network of an address, as in ``10.0.0.0/8``."""
    address = _address_of(host)
    if address is None:
        return False
    from ipaddress import ip_network  # noqa: PLC0415  (as above)

    for entry in excluded.replace(" ", "").split(","):
        try:
            if "/" in entry and address in ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False

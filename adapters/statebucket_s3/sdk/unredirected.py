"""The SDK's HTTP sessions, without redirects, and without a proxy before this machine.

aiohttp would send a request to whatever host a reply names, with its body and its tokens, in clear
text too. For a bucket's requests botocore itself follows a reply that names another region.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession

from statebucket.port.endpoint import needs_no_proxy
from statebucket.port.url import split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp
    from botocore.config import Config
    from botocore.httpsession import ProxyConfiguration

_FETCHERS = ("_fetcher", "_role_fetcher")  # of containers and of instances
_NEAR = frozenset({"fd00:ec2::23", "fd00:ec2::254"})  # the agent of EKS, and an instance's metadata


class NoProxyNearby:
    """The SDK's choice of proxies, but for what must not go through one; see `needs_no_proxy`.

    Args:
        given: The SDK's own.
    """

    def __init__(self, given: ProxyConfiguration) -> None:
        self._given = given

    @property
    def settings(self) -> Any:  # noqa: ANN401  (the SDK's)
        """The proxies' certificates."""
        return self._given.settings

    def proxy_url_for(self, url: str) -> str | None:
        """The proxy for a URL; None for none."""
        parts = split(url)
        host = parts.hostname or ""
        if needs_no_proxy(parts.scheme, host) or (parts.scheme == "http" and host in _NEAR):
            return None
        found: str | None = self._given.proxy_url_for(url)
        return found

    def proxy_headers_for(self, proxy_url: str) -> Any:  # noqa: ANN401  (the SDK's)
        """The headers for a proxy."""
        return self._given.proxy_headers_for(proxy_url)


class Unredirected:
    """An HTTP session as the SDK uses it, which follows no redirect.

    Args:
        session: The session.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> aiohttp.ClientResponse:  # noqa: ANN401  (aiohttp's)
        """Sends a request."""
        return await self._session.request(method, allow_redirects=False, **options)


class UnredirectedSession(AIOHTTPSession):
    """The SDK's HTTP session for everything but a bucket's requests."""

    _proxy_config: Any

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  (the SDK's)
        super().__init__(*args, **options)
        self._proxy_config = NoProxyNearby(self._proxy_config)

    async def _get_session(self, proxy_url: str | None) -> Unredirected:
        return Unredirected(await super()._get_session(proxy_url))


def unredirected(config: Config | None) -> AioConfig:
    """The configuration of a client that follows no redirect."""
    if config is None:
        return AioConfig(http_session_cls=UnredirectedSession)
    if not isinstance(config, AioConfig):  # as aiobotocore 2 makes one for SSO
        config = AioConfig().merge(config)
    if config.http_session_cls is AIOHTTPSession:
        config = copy(config)
        config.http_session_cls = UnredirectedSession
    return config


def protect(resolver: Any) -> Any:  # noqa: ANN401  (the SDK's chain of credentials)
    """Makes the sources of containers and instances follow no redirect; returns the chain.

    The SDK has no option for it. Their session would also be shared by event loops, of which one
    may close it while another uses it.
    """
    for provider in resolver.providers:
        for name in _FETCHERS:
            fetcher: Any = getattr(provider, name, None)
            session = getattr(fetcher, "_session", None)
            if isinstance(session, AIOHTTPSession):
                fetcher._session = _EachAlone(session)  # noqa: SLF001  (see above)
    return resolver


class _EachAlone:
    """Gives each use of an HTTP session one of its own.

    Args:
        like: The session whose settings they have; it is never opened itself.
    """

    def __init__(self, like: AIOHTTPSession) -> None:
        self._like = like

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[AIOHTTPSession]:
        session = UnredirectedSession.__new__(UnredirectedSession)
        for name, value in deepcopy(vars(self._like)).items():
            setattr(session, name, value)
        session._proxy_config = NoProxyNearby(session._proxy_config)  # noqa: SLF001  (as above)
        async with session:
            yield session

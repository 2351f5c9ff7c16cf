"""The SDK's HTTP sessions, without redirects.

aiohttp would send a request to whatever host a reply names, with its body and its tokens, in clear
text too. For a bucket's requests botocore itself follows a reply that names another region.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp
    from botocore.config import Config

_FETCHERS = ("_fetcher", "_role_fetcher")  # of containers and of instances


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
        async with session:
            yield session

"""The SDK's session: credentials, settings and data files, read once and quickly."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

import msgspec
from aiobotocore.session import AioSession

from statebucket.port.loops import PerLoop
from statebucket_s3.sdk.loader import quick_loader


class _Session(AioSession):
    """The SDK's session, whose credentials may be renewed in any event loop.

    The SDK guards their renewal with one `asyncio.Lock`, which belongs to the first loop in which a
    call waits for it; in every later one such a call would fail.
    """

    async def get_credentials(self) -> Any:  # noqa: ANN401  (the SDK has many kinds)
        """The credentials of the SDK's chain; None if there are none."""
        credentials = await super().get_credentials()
        if isinstance(getattr(credentials, "_refresh_lock", None), asyncio.Lock):
            credentials._refresh_lock = _LockPerLoop()  # noqa: SLF001  (there is no other way)
        return credentials


class _LockPerLoop:
    """What the SDK asks of its lock, with one for each event loop."""

    def __init__(self) -> None:
        self._locks = PerLoop(asyncio.Lock)

    def locked(self) -> bool:
        return self._locks.get().locked()

    async def __aenter__(self) -> None:
        await self._locks.get().acquire()

    async def __aexit__(self, *_: object) -> None:
        self._locks.get().release()


class OwnSession(msgspec.Struct, frozen=True):
    """A session of our own.

    Attributes:
        session: What makes clients: an ``aioboto3.Session`` where that is installed, else
            aiobotocore's, which it wraps.
        user_agent: What the SDK calls itself, for all requests; None leaves it to the SDK.
    """

    session: Any
    user_agent: str | None


def own_session() -> OwnSession:
    """A session of our own, with the SDK's credential chain and data paths."""
    session = _Session()
    session.register_component("data_loader", quick_loader())
    # Dates stay text: the SDK's parser costs 10% of a GET, and of each entry of a listing.
    session.get_component("response_parser_factory").set_parser_defaults(
        timestamp_parser=lambda text: text
    )
    if find_spec("aioboto3") is None or _exiting():
        return OwnSession(session, _user_agent(session))
    from aioboto3 import Session  # noqa: PLC0415  (an extra of its own)

    wrapping = Session(botocore_session=session)
    return OwnSession(wrapping, _user_agent(session))


def _exiting() -> bool:
    """Whether the interpreter shuts down, when boto3, which aioboto3 loads, cannot be loaded."""
    try:
        import concurrent.futures.thread  # noqa: F401, PLC0415  (boto3 imports it, too)
    except RuntimeError:  # it registers what joins its threads at exit
        return True
    return False


def _user_agent(session: AioSession) -> str | None:
    """What the SDK calls itself, once: it would put it together twice for each request (10%).

    None if the user has given an application id, whose form is the SDK's to see to.
    """
    name: str = session.user_agent()
    return None if session.get_config_variable("user_agent_appid") else name

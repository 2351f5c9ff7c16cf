"""The SDK's session: credentials, settings and data files, read once and quickly."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

import msgspec
from aiobotocore.session import AioSession

from statebucket.port.loops import PerLoop
from statebucket_s3.sdk.loader import quick_loader
from statebucket_s3.sdk.unredirected import protect, unredirected


class _Session(AioSession):
    """The SDK's session, whose credentials may be renewed in any event loop, without redirects.

    The SDK guards their renewal with one `asyncio.Lock`, which belongs to the first loop in which a
    call waits for it. A call that waits in another loop would fail.
    """

    def create_client(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  (the SDK's)
        """As the SDK's; its sources of credentials make clients, too."""
        options["config"] = unredirected(options.get("config"))
        return super().create_client(*args, **options)

    def _create_credential_resolver(self) -> Any:  # noqa: ANN401  (as above)
        return protect(super()._create_credential_resolver())

    async def get_credentials(self) -> Any:  # noqa: ANN401  (the SDK has many kinds)
        """The credentials of the SDK's chain; None if there are none."""
        credentials = await super().get_credentials()
        if isinstance(getattr(credentials, "_refresh_lock", None), asyncio.Lock):
            credentials._refresh_lock = _LockPerLoop()  # noqa: SLF001  (there is no other way)
        return credentials


class _LockPerLoop:
    """The SDK's lock, as one lock per event loop."""

    def __init__(self) -> None:
        self._locks = PerLoop(asyncio.Lock)

    def locked(self) -> bool:
        return self._locks.get().locked()

    async def __aenter__(self) -> None:
        await self._locks.get().acquire()

    async def __aexit__(self, *_: object) -> None:
        self._locks.get().release()


class OwnSession(msgspec.Struct, frozen=True):
    """Our own session.

    Attributes:
        session: What makes clients: an ``aioboto3.Session`` if that is installed, else the
            aiobotocore session that it would wrap.
        user_agent: The SDK's user agent, for all requests; None leaves it to the SDK.
    """

    session: Any
    user_agent: str | None


def own_session() -> OwnSession:
    """Our own session, with the SDK's credential chain and data paths."""
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
    """Whether the interpreter shuts down; aioboto3 cannot load boto3 then."""
    try:
        import concurrent.futures.thread  # noqa: F401, PLC0415  (boto3 imports it, too)
    except RuntimeError:  # it registers what joins its threads at exit
        return True
    return False


def _user_agent(session: AioSession) -> str | None:
    """The SDK's user agent, built once: the SDK would build it twice per request (10% of its time).

    None if the user has set an application id, which the SDK formats.
    """
    name: str = session.user_agent()
    return None if session.get_config_variable("user_agent_appid") else name

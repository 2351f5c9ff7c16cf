"""A FastMCP server whose sessions and OAuth clients are in a bucket; each run is a new process.

Arguments: the store's URL, and what an earlier run printed. Runs in FastMCP's own environment.
"""

import asyncio
import json
import sys

from fastmcp import Client, FastMCP
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.providers.debug import DebugTokenVerifier
from fastmcp.server.dependencies import get_session
from fastmcp.server.sessions import SessionId, SessionProvider
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl

from statebucket_keyvalue import StatebucketStore


def server(store: StatebucketStore) -> FastMCP:
    mcp = FastMCP("counter", session_state_store=store)
    mcp.add_provider(SessionProvider())

    @mcp.tool  # type: ignore[untyped-decorator]  # no FastMCP where types are checked
    async def count(session_id: SessionId) -> int:
        session = await get_session(session_id)
        number = (await session.get("number") or 0) + 1
        await session.set("number", number)
        return number

    return mcp


def proxy(store: StatebucketStore) -> OAuthProxy:
    return OAuthProxy(
        upstream_authorization_endpoint="https://login.example/authorize",
        upstream_token_endpoint="https://login.example/token",
        upstream_client_id="id",
        upstream_client_secret="not-a-secret-of-anybody",
        token_verifier=DebugTokenVerifier(),
        base_url="https://mcp.example",
        client_storage=store,
    )


async def main(url: str, before: str | None) -> None:
    async with StatebucketStore(url) as store, Client(server(store)) as client:
        oauth = proxy(store)
        if before is None:
            session = (await client.call_tool("create_session")).data
            await oauth.register_client(
                OAuthClientInformationFull(
                    client_id="editor", redirect_uris=[AnyUrl("http://localhost:1234/callback")]
                )
            )
        else:
            session = json.loads(before)["session"]
        number = (await client.call_tool("count", {"session_id": session})).data
        registered = await oauth.get_client("editor")
        told = {"session": session, "number": number, "client": registered.client_id}
        sys.stdout.write(json.dumps(told))


asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))

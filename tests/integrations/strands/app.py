"""Agents with a scripted model, and a program that invokes one; each run is a new process.

Arguments: the store's URL, the session, how long to wait for it, and what to say. It prints what
the agent has in its memory then.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from strands import Agent
from strands.models import Model

from statebucket import open_store
from statebucket_strands import StatebucketSessionManager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from strands.session import SnapshotSessionManager


class Scripted(Model):
    """A model without a network: it answers each message with that message in capitals.

    Args:
        during: Awaited while it answers, as a model that takes its time.
        tools: Tools to call first, each once.
        stateful: Whether it says that it keeps messages itself.
    """

    def __init__(
        self,
        during: Callable[[], Awaitable[object]] | None = None,
        *,
        tools: tuple[str, ...] = (),
        stateful: bool = False,
    ) -> None:
        self._during = during
        self._tools = list(tools)
        self._stateful = stateful

    @property
    def stateful(self) -> bool:
        return self._stateful

    def update_config(self, **_config: Any) -> None:
        """It has none."""

    def get_config(self) -> Any:
        return {}

    def structured_output(self, *_args: Any, **_options: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *_args: Any, **_options: Any) -> AsyncGenerator[Any]:
        if self._during is not None:
            await self._during()
        yield {"messageStart": {"role": "assistant"}}
        if self._tools:
            use = {"name": self._tools.pop(0), "toolUseId": f"t{len(self._tools)}"}
            yield {"contentBlockStart": {"start": {"toolUse": use}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}}}
        else:
            said = texts(messages)[-1].upper()
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": said}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if "use" in locals() else "end_turn"}}


def texts(messages: Any) -> list[str]:
    """What was said."""
    return [
        block["text"] for message in messages for block in message["content"] if "text" in block
    ]


def agent(manager: SnapshotSessionManager, model: Model | None = None, **options: Any) -> Agent:
    """An agent that prints nothing."""
    return Agent(
        model=model or Scripted(), session_manager=manager, callback_handler=None, **options
    )


def main(url: str, session: str, wait: str, said: str) -> None:
    store = open_store(url)

    async def told() -> None:
        await asyncio.to_thread(sys.stdin.readline)

    def started() -> Awaitable[object]:
        sys.stdout.write("answering\n")
        sys.stdout.flush()
        return told()

    manager = StatebucketSessionManager(session, store, lease_ttl=5, wait=float(wait) or None)
    speaker = agent(manager, Scripted(started))
    speaker(said)
    sys.stdout.write(json.dumps(texts(speaker.messages)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

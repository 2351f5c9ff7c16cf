"""The messages of a conversation, which goes on in another invocation."""

from datetime import timedelta
from typing import TypedDict

from statebucket.sync import BlockingStateStore


class Message(TypedDict):
    """What one side said."""

    role: str
    text: str


def say(tenant: BlockingStateStore, thread: str, message: Message) -> list[Message]:
    """Adds a message to a conversation, and returns all of it; kept for 30 days."""
    messages: list[Message] = tenant.execution(thread, keep=True).update_json(
        "messages", lambda said: [*(said or []), message], ttl=timedelta(days=30)
    )
    return messages

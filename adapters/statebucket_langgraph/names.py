"""The keys of a thread.

A thread is an execution. Its keys are::

    head/{namespace}                                the newest checkpoint
    checkpoint/{namespace}/{checkpoint}/{run}       each earlier one
    writes/{namespace}/{checkpoint}/{task}          what one task has written on a checkpoint

``{run}`` is empty if the checkpoint's metadata has no ``run_id``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_PART = 200
"""The most bytes of a namespace, run or task in a key; longer ones are hashed."""

HEAD, CHECKPOINT, WRITES = "head", "checkpoint", "writes"


def part(text: str) -> str:
    """A namespace, checkpoint, run or task as part of a key: without ``/``, and not too long.

    If it is hashed, the object's body contains it in full.
    """
    if len(text.encode(errors="surrogatepass")) > _MAX_PART:
        return "%" + sha256(text.encode(errors="surrogatepass")).hexdigest()
    return text.replace("%", "%25").replace("/", "%2F")


def _whole(found: str) -> str:
    return found.replace("%2F", "/").replace("%25", "%")


def head_key(namespace: str) -> str:
    """The key of a namespace's newest checkpoint."""
    return f"{HEAD}/{part(namespace)}"


def checkpoint_key(namespace: str, checkpoint_id: str, run_id: str) -> str:
    """The key of an earlier checkpoint."""
    return f"{CHECKPOINT}/{part(namespace)}/{part(checkpoint_id)}/{part(run_id)}"


def checkpoints_prefix(namespace: str, checkpoint_id: str | None = None) -> str:
    """How the keys of a namespace's earlier checkpoints begin, or the key of one of them."""
    start = f"{CHECKPOINT}/{part(namespace)}/"
    return start if checkpoint_id is None else f"{start}{part(checkpoint_id)}/"


def writes_key(namespace: str, checkpoint_id: str, task_id: str) -> str:
    """The key of a task's writes."""
    return f"{writes_prefix(namespace, checkpoint_id)}{part(task_id)}"


def writes_prefix(namespace: str, checkpoint_id: str | None = None) -> str:
    """How the keys of all writes of a namespace begin, or of those on one checkpoint."""
    start = f"{WRITES}/{part(namespace)}/"
    return start if checkpoint_id is None else f"{start}{part(checkpoint_id)}/"


class Name(NamedTuple):
    """A parsed key.

    Attributes:
        key: The key.
        kind: `HEAD`, `CHECKPOINT` or `WRITES`.
        namespace: The namespace in the form that keys have.
        checkpoint_id: The checkpoint; empty for a head.
        last: The run or task in the form that keys have; empty for a head.
    """

    key: str
    kind: str
    namespace: str
    checkpoint_id: str = ""
    last: str = ""


def read(keys: Iterable[str]) -> list[Name]:
    """Parses keys, and leaves out those that a saver never writes."""
    return [name for key in keys if (name := _read(key)) is not None]


def _read(key: str) -> Name | None:
    match key.split("/"):
        case [kind, namespace] if kind == HEAD:
            return Name(key, kind, namespace)
        case [kind, namespace, checkpoint, last] if kind in {CHECKPOINT, WRITES}:
            return Name(key, kind, namespace, _whole(checkpoint), last)
    return None

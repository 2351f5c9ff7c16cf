"""What LangGraph, or a caller, passes to a saver: read and checked before any request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from langgraph.checkpoint.base import get_checkpoint_id

from statebucket.errors import InvalidArgument, shown
from statebucket.given import check_limit

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

_NO_IDS = (bool, bytes, Mapping, list, tuple, set, frozenset)
_PAIR = 2
_THREAD = '{"configurable": {"thread_id": "1"}}'


class Place(NamedTuple):
    """The thread, namespace and checkpoint that a config points to."""

    thread: str
    namespace: str
    checkpoint_id: str | None


def place_in(config: RunnableConfig) -> Place:
    """Reads a config: its thread, namespace, and checkpoint if it names one.

    Raises:
        InvalidArgument: It names no thread, or one of the three is not what it may be.
    """
    thread = _settings(config).get("thread_id")
    if thread is None:
        raise InvalidArgument(f"config must name the thread, as in {_THREAD}")
    return Place(thread_of(thread), namespace_in(config) or "", checkpoint_in(config))


def namespace_in(config: RunnableConfig) -> str | None:
    """The namespace that a config names; None if it names none.

    Raises:
        InvalidArgument: It is not a text.
    """
    return _text_in(config, "checkpoint_ns")


def checkpoint_in(config: RunnableConfig, what: str = "config") -> str | None:
    """The checkpoint that a config names; None if it names none.

    Raises:
        InvalidArgument: It is not a text.
    """
    _settings(config, what)
    return _text("checkpoint_id", get_checkpoint_id(config)) or None


def thread_of(thread_id: object) -> str:
    """A thread's id as text: LangGraph allows numbers and UUIDs, too.

    Raises:
        InvalidArgument: It is None, or of a type that is no id.
    """
    return _id("thread_id", thread_id)


def ids_of(what: str, ids: Iterable[object]) -> list[str]:
    """Several ids of threads or runs, as text.

    Args:
        what: The argument, for the error.
        ids: The ids.

    Raises:
        InvalidArgument: They are not a list of ids.
    """
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise InvalidArgument(f"{what} must be a list, as in {what}=[id]: {shown(ids)}")
    return [_id(what, one) for one in ids]


def check_listing(
    config: RunnableConfig | None, filter_: object, before: RunnableConfig | None, limit: object
) -> None:
    """Checks what selects checkpoints.

    Raises:
        InvalidArgument: One of them is not what it may be.
    """
    if config is not None:
        place_in(config)
    if before is not None:
        checkpoint_in(before, "before")
    if filter_ is not None and not isinstance(filter_, Mapping):
        raise InvalidArgument(f"filter must be a dict of metadata: {shown(filter_)}")
    if limit is not None:
        check_limit(limit)


def check_serde(serde: object) -> None:
    """Checks that a serializer is one, or None for LangGraph's own.

    Raises:
        InvalidArgument: It is not one.
    """
    if serde is not None and not (hasattr(serde, "dumps_typed") or hasattr(serde, "dumps")):
        raise InvalidArgument(
            "serde must be a serializer, as LangGraph's JsonPlusSerializer() is, not "
            f"{type(serde).__name__}"  # not shown: it may be a key
        )


def check_saved(checkpoint: object, metadata: object) -> None:
    """Checks that a checkpoint and its metadata are dicts, and that the checkpoint has an id.

    Raises:
        InvalidArgument: They are not.
    """
    if not isinstance(checkpoint, Mapping) or not isinstance(checkpoint.get("id"), str):
        raise InvalidArgument(
            f"checkpoint must be a dict with an id, as LangGraph makes it; not "
            f"{type(checkpoint).__name__}"
        )
    if not isinstance(metadata, Mapping):
        raise InvalidArgument(f"metadata must be a dict, not {type(metadata).__name__}")


def check_writes(writes: object, task_id: object, path: object) -> None:
    """Checks a task's writes.

    Raises:
        InvalidArgument: They are not pairs of a channel and a value, or the task's id or path is
            not a text.
    """
    if not _are_pairs(writes):  # not shown: they are the graph's data
        raise InvalidArgument(
            "writes must be a list of pairs, each of a channel and a value, not "
            f"{type(writes).__name__}"
        )
    if not task_id:
        raise InvalidArgument(f"task_id must be a text that is not empty: {shown(task_id)}")
    for what, text in (("task_id", task_id), ("task_path", path)):
        if _text(what, text) is None:
            raise InvalidArgument(f"{what} must be a text: None")


def check_strategy(strategy: object) -> None:
    """Checks that there is such a strategy of pruning.

    Raises:
        InvalidArgument: There is not.
    """
    if strategy not in ("keep_latest", "delete"):
        raise InvalidArgument(f"unknown strategy {shown(strategy)}: use 'keep_latest' or 'delete'")


def check_channels(channels: object) -> None:
    """Checks that channels are a list of names.

    Raises:
        InvalidArgument: They are not.
    """
    if isinstance(channels, str | bytes) or not isinstance(channels, Iterable):
        raise InvalidArgument(
            f"channels must be a list of their names, as in ['messages']: {shown(channels)}"
        )


def _are_pairs(writes: object) -> bool:
    if not isinstance(writes, Sequence) or isinstance(writes, str | bytes):
        return False
    return all(isinstance(one, tuple | list) and len(one) == _PAIR for one in writes)


def _settings(config: object, what: str = "config") -> Mapping[str, object]:
    settings = config.get("configurable") if isinstance(config, Mapping) else None
    if not isinstance(settings, Mapping):
        raise InvalidArgument(f"{what} must be a dict, as in {_THREAD}, not {_kind(config)}")
    return settings


def _kind(config: object) -> str:
    """What a config is that names no thread; its settings are not shown, one may be a secret."""
    return "a dict without configurable" if isinstance(config, Mapping) else type(config).__name__


def _text_in(config: object, name: str) -> str | None:
    return _text(name, _settings(config).get(name))


def _text(name: str, given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str):
        raise InvalidArgument(f"{name} must be a text: {shown(given)}")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(
            f"{name} contains a lone surrogate, which has no UTF-8 form: {shown(given)}"
        ) from None
    return given


def _id(what: str, given: object) -> str:
    if given is None or isinstance(given, _NO_IDS):
        raise InvalidArgument(f"{what} must be a text (or a number or a UUID): {shown(given)}")
    return given if isinstance(given, str) else str(given)

"""S3's lifecycle rules, converted between XML and the form of the SDK and the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket_s3.http import xml_documents as xml

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTING = "TransitionDefaultMinimumObjectSize"
_LISTS = {  # XML has one element for each item, the SDK's form a list
    "Rule": "Rules",
    "Transition": "Transitions",
    "NoncurrentVersionTransition": "NoncurrentVersionTransitions",
}
_ELEMENTS = {value: name for name, value in _LISTS.items()} | {"Tags": "Tag"}
_NUMBERS = frozenset(
    {
        "Days",
        "DaysAfterInitiation",
        "NewerNoncurrentVersions",
        "NoncurrentDays",
        "ObjectSizeGreaterThan",
        "ObjectSizeLessThan",
    }
)
_SWITCHES = frozenset({"ExpiredObjectDeleteMarker"})


def read(body: bytes, minimum_size: str | None) -> dict[str, Any]:
    """The rules as the SDK returns them.

    Args:
        body: The reply's body.
        minimum_size: The header with the bucket-wide setting that goes with the rules.

    Raises:
        ValueError: The body is not what S3 writes.
    """
    root, values = xml.parse(body, repeated={*_LISTS, "Tag"})
    if root != "LifecycleConfiguration":
        raise ValueError(f"rules expected, not {root}")
    reply: dict[str, Any] = {"Rules": [], **_from_xml(values or {}, "")}
    if minimum_size is not None:
        reply[_SETTING] = minimum_size
    return reply


def written(arguments: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """The body of the request that writes rules, and the setting for its header."""
    rules = arguments["LifecycleConfiguration"]
    return xml.document("LifecycleConfiguration", _to_xml(rules)), arguments.get(_SETTING)


def _from_xml(value: Any, name: str) -> Any:  # noqa: ANN401  (a tree)
    if isinstance(value, list):
        return [_from_xml(one, name) for one in value]
    if not isinstance(value, dict):
        if name in _NUMBERS:
            return int(value)
        return value == "true" if name in _SWITCHES else value
    found: dict[str, Any] = {}
    for child, inner in value.items():
        if child == "Tag":  # a filter has one condition, or several in its And
            tags = _from_xml(inner, child)
            found.update({"Tags": tags} if name == "And" else {"Tag": tags[0]})
        else:
            found[_LISTS.get(str(child), str(child))] = _from_xml(inner, child)
    return found


def _to_xml(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_to_xml(one) for one in value]
    if isinstance(value, dict):
        return {_ELEMENTS.get(name, name): _to_xml(one) for name, one in value.items()}
    return value

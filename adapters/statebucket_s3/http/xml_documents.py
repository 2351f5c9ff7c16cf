"""XML as S3 writes and reads it, to and from dictionaries; no entities, no document types."""

from __future__ import annotations

from pyexpat import ExpatError, ParserCreate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\n": "&#10;"})


def parse(body: bytes, repeated: Collection[str] = ()) -> tuple[str, Any]:
    """The name of the root element, and what it holds.

    An element without children is its text; others are dictionaries from names to elements.

    Args:
        body: The document.
        repeated: Names of elements that may occur several times in their parent, read as lists.

    Raises:
        ValueError: It is not XML, or declares a document type.
    """
    root: list[tuple[str, Any]] = []
    stack: list[dict[str, Any] | None] = []
    text = ""

    def start(_name: str, _attributes: object) -> None:
        nonlocal text
        text = ""
        stack.append(None)

    def characters(data: str) -> None:
        nonlocal text
        text += data

    def end(name: str) -> None:
        nonlocal text
        value: Any = stack.pop()
        if value is None:
            value = text
        text = ""
        if not stack:
            root.append((name, value))
            return
        parent = stack[-1]
        if parent is None:
            parent = stack[-1] = {}
        if name in repeated:
            parent.setdefault(name, []).append(value)
        else:
            parent[name] = value

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.CharacterDataHandler = characters
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003  (expat's own signature)
    except (ExpatError, LookupError) as error:  # LookupError: of an unknown encoding
        raise ValueError(f"not valid XML: {error}") from error
    return root[0]


def _refuse(*_: object) -> None:
    raise ValueError("the XML declares a document type, which S3 never does")


def text_of(value: str) -> str:
    """Text, escaped for a document."""
    return value.translate(_ESCAPES)


def element(name: str, value: Any) -> str:  # noqa: ANN401  (what `parse` returns)
    """An element; a list makes one for each item.

    Args:
        name: Its name.
        value: Text, a number, True or False, a mapping from names to values, or a list of these.
    """
    if isinstance(value, list):
        return "".join(element(name, one) for one in value)
    return f"<{name}>{_content(value)}</{name}>"


def _content(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "".join(element(name, one) for name, one in value.items())
    return text_of(str(value))


def document(name: str, value: Mapping[str, Any]) -> bytes:
    """A document in S3's namespace."""
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<{name} xmlns="{space}">{_content(value)}</{name}>'.encode()

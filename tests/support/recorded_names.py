"""The names in a recorded request: objects, prefixes, or the bucket as a whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fault_proxy.proxy import Recorded

_GCS = "/storage/v1/b/"
_PART = re.compile(rb"^(?:DELETE|PUT|GET|HEAD|POST) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that a request names.

    Attributes:
        what: An object, a prefix that is listed, or the bucket.
        name: The object's name, decoded, or the prefix; empty for the bucket.
    """

    what: Literal["object", "prefix", "bucket"]
    name: str = ""


def in_request(service: str, request: Recorded) -> list[Named]:
    """Find out what a request names.

    Args:
        service: "s3", "gcs" or "azure".
        request: The request; the bucket is the first segment of its path (Azure: the second).
    """
    parts = urlsplit(request.target)
    query = {
        key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()
    }
    return _READERS[service](request, parts.path, query)


def _s3(request: Recorded, path: str, query: dict[str, str]) -> list[Named]:
    _, _, name = path.removeprefix("/").partition("/")
    if name:
        return [Named("object", unquote(name))]
    if "delete" in query:
        keys = ET.fromstring(request.body).iter()
        return [Named("object", key.text or "") for key in keys if key.tag.endswith("Key")]
    return [Named("prefix", query["prefix"])] if "prefix" in query else [Named("bucket")]


def _gcs(request: Recorded, path: str, query: dict[str, str]) -> list[Named]:
    if path.startswith(f"/upload{_GCS}"):
        named = query.get("name")
        if named is None:
            head = request.body.split(b"\r\n\r\n", 2)[1].split(b"\r\n--", 1)[0]
            named = json.loads(head)["name"]
        return [Named("object", named)]
    if path == "/batch/storage/v1":
        asked = (urlsplit(target.decode()).path for target in _PART.findall(request.body))
        return [named for one in asked for named in _gcs(request, one, {})]
    path = path.removeprefix("/download")
    if not path.startswith(_GCS):  # the XML API
        return [Named("object", unquote(path.removeprefix("/").partition("/")[2]))]
    _, _, rest = path.removeprefix(_GCS).partition("/")
    if rest.startswith("o/"):
        return [Named("object", unquote(rest.removeprefix("o/")))]
    return [Named("prefix", query.get("prefix", ""))] if rest == "o" else [Named("bucket")]


def _azure(request: Recorded, path: str, query: dict[str, str]) -> list[Named]:
    if query.get("comp") == "batch":
        return [
            Named("object", _blob(urlsplit(target.decode()).path))
            for target in _PART.findall(request.body)
        ]
    if query.get("comp") == "list":
        return [Named("prefix", query.get("prefix", ""))]
    blob = _blob(path)
    return [Named("object", blob)] if blob else [Named("bucket")]


def _blob(path: str) -> str:
    """The blob in a path of account, container and blob."""
    return unquote("/".join(path.removeprefix("/").split("/")[2:]))


_READERS: dict[str, Callable[[Recorded, str, dict[str, str]], list[Named]]] = {
    "s3": _s3,
    "gcs": _gcs,
    "azure": _azure,
}

"""Store URLs: ``scheme://bucket/prefix?parameter=value``, parsed and checked.

URLs get logged, so one that carries a secret is refused. No error shows more of a URL than its
scheme, host and path, and only up to the first character at which a secret may begin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from statebucket.errors import InvalidArgument, InvalidURL, excerpt, shown

if TYPE_CHECKING:
    from statebucket.port.bucket import Location

T = TypeVar("T", bound=msgspec.Struct)

_MAX_BITS = 64  # of a number in an option
MAX_PREFIX = 256
"""The longest prefix, in characters: it leaves room for names and stays below Azure's limit of 254
segments."""

_SEGMENT = re.compile(r"[A-Za-z0-9._~=+,:$!'()*&-]*[A-Za-z0-9_~=+,:$!'()*&-]")
_SEGMENT_RULE = "letters, digits and -_.~=+,:$!'()*&, not empty and without a '.' at its end"
_ENDPOINT_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name, or an IP address
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECRET = re.compile(
    r"secret|token|passw|credential|signature|sas|sig|connection_?string|(^|_)key$|access_?key"
)
_NO_SECRET = frozenset({"sse_kms_key", "kms_key", "kms_key_name"})  # names of keys, not keys
# A parameter in the path: az://container/prefix;sig=…
_SECRET_IN_PATH = re.compile(
    r"(?:^|[/;&,])(sig|sas|\w*(?:secret|token|password|credential|signature|connection_?string"
    r"|access_?key|account_?key)s?)=",
    re.IGNORECASE,
)
_PUBLIC = re.compile(r"[A-Za-z0-9+.-]+://[^?#;@]*")
_REFUSED = re.compile(r"Expected `([^`]+)`(.*?)(?:, got `([^`]+)`)? - at `\$\.(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "null": "None",
    "array": "a list",
    "object": "a value of another type",
}


class StoreOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of every store, as text in a URL or as keywords."""

    deadline: float = 10.0
    owner_index: bool = True
    engine: str | None = None
    tenant: str | None = None
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] = 32
    retention: float | None = None


class StoreURL:
    """Parses a store URL.

    Args:
        url: The text.

    Raises:
        InvalidURL: It cannot be parsed, or carries a secret.
    """

    __slots__ = ("host", "parameters", "path", "scheme")

    def __init__(self, url: str) -> None:
        if not isinstance(url, str):
            raise InvalidURL(
                f"a store URL must be a string, not {type(url).__name__}; the URL of a file is "
                "sqlite:///relative.db or sqlite:////absolute.db"
            )
        rest = url.partition("://")[2]
        host = re.split(r"[/?#]", rest, maxsplit=1)[0]
        # A password may contain a "/" or "?", at which urlsplit would end the host. A file's path
        # may contain an "@"; a prefix, which follows a host, may not.
        if "@" in host or (":" in host and "@" in rest) or (host and "@" in _before_query(rest)):
            raise InvalidURL(
                "a store URL must not carry a user or password (://…@…), and a prefix must not "
                "contain '@': credentials come from the SDK's own chain"
            )
        if _CONTROL.search(url):  # urlsplit would drop some, and name another bucket or file
            raise InvalidURL(
                f"a store URL must not contain control characters: {without_query(url)!r}"
            )
        shown = without_query(url)
        if not shown:  # it may be a connection string, or a key by itself
            raise InvalidURL(
                "a store URL must begin with scheme://, as in s3://bucket/prefix or "
                "sqlite:///state.db; got "
                f"{len(url)} characters (hidden: may be a secret)"
            )
        try:
            parts = urlsplit(url)
        except ValueError:
            raise InvalidURL(f"not a URL: {shown!r}") from None
        try:
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise InvalidURL(
                f"what follows the ? in a store URL must be name=value, with & between several: "
                f"{shown!r}"
            ) from None
        if parts.fragment:
            raise InvalidURL(f"a store URL must not have a fragment (#): {shown!r}")
        misplaced = _SECRET_IN_PATH.search(_before_query(rest))
        if misplaced is not None:
            raise InvalidURL(
                f"{misplaced[1]}= in the path would put a secret into a URL, and URLs get logged: "
                "credentials come from the SDK's own chain"
            )
        for name, value in pairs:
            check_no_secret(name, value)
        if len({name for name, _ in pairs}) < len(pairs):
            raise InvalidURL(f"query parameter repeated in {shown!r}")
        self.scheme = parts.scheme
        self.host = parts.netloc
        self.path = parts.path
        self.parameters: dict[str, Any] = dict(pairs)


def check_no_secret(name: str, value: str) -> None:
    """Refuses a URL parameter that carries a secret.

    Raises:
        InvalidURL: It does; the message shows only its name.
    """
    if _SECRET.search(name.lower()) and name.lower() not in _NO_SECRET:
        raise InvalidURL(
            f"the parameter {name!r} would put a secret into a URL, and URLs get logged: "
            "credentials come from the SDK's own chain, or a client of yours as a keyword option"
        )
    if "://" in value and "@" in value:
        raise InvalidURL(f"the URL in parameter {name!r} must not carry a user or password")


def read_options(values: dict[str, Any], kind: type[T]) -> T:
    """Reads options (text from a URL, or keywords) into a struct that declares them.

    Raises:
        InvalidArgument: One is unknown or not of its type; the message does not show its value,
            which may be a secret.
    """
    for name, value in values.items():
        # msgspec 0.21 raises a SystemError if an int is too large for a float.
        if type(value) is int and value.bit_length() > _MAX_BITS:
            raise InvalidArgument(f"the option {name!r} is too large a number")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidArgument(_why_refused(str(error), kind)) from None


def _why_refused(said: str, kind: type[msgspec.Struct]) -> str:
    """What is wrong with an option, from msgspec's message, which shows no value."""
    if unknown := _UNKNOWN.match(said):
        options = sorted({*kind.__struct_fields__, *StoreOptions.__struct_fields__})
        return f"there is no option {shown(unknown[1])}; available: {', '.join(options)}"
    if found := _REFUSED.match(said):
        expected, rule, got, name = found.groups()
        but = "" if got is None else f", not {_TYPES.get(got, got)}"
        kinds = [one for one in expected.split(" | ") if one != "null"]
        must = " or ".join(_TYPES.get(one, one) for one in kinds)
        return f"the option {name!r} must be {must}{rule}{but}"
    return "an option is invalid: " + re.sub(r""" (['"]).*\1""", "", excerpt(said), flags=re.DOTALL)


def check_endpoint(url: str) -> None:
    """Checks that the option ``endpoint_url`` is the plain URL of a server, perhaps with a path.

    Raises:
        InvalidURL: It is not; the message shows no part of it that may be a secret.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises where it is no number)
    except ValueError:
        raise InvalidURL("endpoint_url is not a URL") from None
    if "@" in url or parts.query or parts.fragment:
        raise InvalidURL(
            "endpoint_url must be https://host or https://host/path, without user, query or "
            f"fragment: {without_query(url)!r}"
        )
    if (
        parts.scheme not in {"http", "https"}
        or not _ENDPOINT_HOST.fullmatch(parts.hostname or "")
        or _CONTROL.search(url)
    ):
        raise InvalidURL(
            f"endpoint_url must be http://host or https://host: {without_query(url)!r}"
        )


def prefix_of(location: Location) -> str:
    """The prefix in the bucket that a URL's path names, without a slash at either end.

    Raises:
        InvalidURL: It is over 256 characters, or a segment is empty, ends in ``.`` or holds a
            character that not every cloud and proxy carries unchanged.
    """
    prefix = location.path.strip("/")
    if not prefix:
        return ""
    if len(prefix) > MAX_PREFIX:
        raise InvalidURL(f"the prefix is {len(prefix)} characters long, over {MAX_PREFIX}")
    for number, segment in enumerate(prefix.split("/"), 1):
        if not _SEGMENT.fullmatch(segment):
            # Not shown whole: a secret may follow a character that is refused.
            start = re.split(r"[^A-Za-z0-9._~-]", segment, maxsplit=1)[0]
            cut = "" if start == segment else "…"
            raise InvalidURL(
                f"the prefix segment number {number}, {start + cut!r}, must be {_SEGMENT_RULE}"
            )
    return prefix


def container_of(location: Location, *, what: str = "bucket") -> str:
    """The bucket (container) that a URL names.

    Raises:
        InvalidURL: There is none, or it is not a valid bucket name.
    """
    if not re.fullmatch(r"[A-Za-z0-9$][A-Za-z0-9._-]*", location.host):
        raise InvalidURL(
            f"{location.scheme}:// must name a {what}, as in {location.scheme}://{what}/prefix: "
            f"{without_query(f'{location.scheme}://{location.host}')!r}"
        )
    return location.host


def without_query(url: str) -> str:
    """The part of a URL that may be shown.

    Returns:
        Scheme, host and path, up to a character at which a secret may begin (query, fragment,
        ``;``, ``@``); without anything before an ``@``. Empty if the text is not a URL.
    """
    head = re.sub(r"://.*@", "://…@", url, count=1, flags=re.DOTALL) if "@" in url else url
    found = _PUBLIC.match(head)
    return "" if found is None else found[0]


def _before_query(rest: str) -> str:
    return re.split(r"[?#]", rest, maxsplit=1)[0]

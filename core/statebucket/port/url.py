"""Store URLs: ``scheme://bucket/prefix?parameter=value``, parsed and checked.

URLs get logged, so one that carries a secret is refused. No error shows more of a URL than its
scheme, host and path, and only up to the first character at which a secret may begin.

A cold start reads one or two. What is usual is read without `re` and `urllib.parse`: each pattern
takes .2 ms to compile, and `urllib.parse` 2 ms to import.
"""

from __future__ import annotations

import re
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from statebucket.errors import MAX_EXCERPT, InvalidArgument, InvalidURL, excerpt, shown
from statebucket.port.complete_types import complete, complete_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from urllib.parse import SplitResult

    from statebucket.port.bucket import Location

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")

_MAX_BITS = 64  # of a number in an option
MAX_URL = 16_384
"""The longest store URL, in characters."""

MAX_PREFIX = 256
"""The longest prefix, in characters: it leaves room for names and stays below Azure's limit of 254
segments."""

_ALPHANUMERIC = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_NAME = _ALPHANUMERIC | frozenset("._-")
_SCHEME = _ALPHANUMERIC | frozenset("+.-")
_USUAL = _NAME | frozenset("~/:?=&")  # in a URL: neither encoded nor the end of anything
_MAX_PORT = 65535
_PLAIN = "".join(_NAME | frozenset("~/")).encode()
_SEGMENT = _NAME | frozenset("~=+,:$!'()*&")
_SEGMENT_RULE = "letters, digits and -_.~=+,:$!'()*&, not empty and without a '.' at its end"
_ADDRESS = frozenset("0123456789ABCDEFabcdef:.")
_SECRETS = (
    "secret",
    "token",
    "passw",
    "credential",
    "signature",
    "sas",
    "sig",
    "connectionstring",
    "connection_string",
    "accesskey",
    "access_key",
)
_NO_SECRET = frozenset({"sse_kms_key", "kms_key", "kms_key_name"})  # names of keys, not keys
# A parameter in the path: az://container/prefix;sig=…
_MISPLACED = (
    r"(?:^|[/;&,])(sig|sas|\w*(?:secret|token|password|credential|signature|connection_?string"
    r"|access_?key|account_?key)s?)="
)
_REFUSED = r"Expected `([^`]+)`(.*?)(?:, got `([^`]+)`)? - at `\$\.(\w+)`"
_NO_CHOICE = r"(?s)Invalid enum value.* - at `\$\.(\w+)`"
_UNKNOWN = r"(?s)Object contains unknown field `(.*)`"
_DURATIONS = {"deadline", "retention"}

_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "null": "None",
    "array": "a list",
    "object": "a value of another type",
    "duration": "a timedelta",
    "datetime": "a datetime",
}


@complete_at_once
class StoreOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of every store, as text in a URL or as keywords."""

    deadline: float = 10.0
    owner_index: bool = True
    engine: str | None = None
    tenant: str | None = None
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] = 32
    retention: float | None = None


class UsualURL(msgspec.Struct, frozen=True):
    """The parts of a URL, by the names that `urllib.parse.urlsplit` has for them."""

    scheme: str
    netloc: str
    hostname: str | None
    port: int | None
    path: str
    query: str
    fragment: str = ""


def split(url: str) -> UsualURL | SplitResult:
    """The parts of a URL, as `urllib.parse.urlsplit` has them.

    Raises:
        ValueError: It cannot be taken apart.
    """
    scheme, slashes, rest = url.partition("://")
    if slashes and _USUAL.issuperset(url) and scheme.isalnum() and scheme[0].isalpha():
        before, _, query = rest.partition("?")
        netloc, slash, path = before.partition("/")
        host, colon, port = netloc.partition(":")
        number = int(port) if port.isdecimal() else _MAX_PORT + 1
        if not colon or number <= _MAX_PORT:
            return UsualURL(
                scheme.lower(),
                netloc,
                host.lower() or None,
                number if colon else None,
                slash + path,
                query,
            )
    from urllib.parse import urlsplit  # noqa: PLC0415  (see the top)

    return urlsplit(url)


def quoted(text: str, *, slashes: bool = False) -> str:
    """A text, percent-encoded but for letters, digits and ``-._~``.

    Args:
        text: The text.
        slashes: Whether slashes stay as they are.
    """
    if text.isascii() and not text.encode().translate(None, _PLAIN):
        return text if slashes else text.replace("/", "%2F")
    from urllib.parse import quote  # noqa: PLC0415  (see the top)

    return quote(text, safe="/" if slashes else "")


def _with_port(url: str) -> UsualURL | SplitResult:
    """As `split`, with a port that is a number, if there is one."""
    parts = split(url)
    parts.port  # noqa: B018  (raises where it is none)
    return parts


def _pairs(query: str) -> list[tuple[str, str]]:
    """The names and values of a query, decoded.

    Raises:
        ValueError: A part of it is no name with a value.
    """
    if not query:
        return []
    pairs = [pair.partition("=") for pair in query.split("&")]
    if _USUAL.issuperset(query) and all(equals for _, equals, _ in pairs):
        return [(name, value) for name, _, value in pairs]
    from urllib.parse import parse_qsl  # noqa: PLC0415  (see the top)

    return parse_qsl(query, keep_blank_values=True, strict_parsing=True)


class StoreURL:
    """Parses a store URL.

    Args:
        url: The text.

    Raises:
        InvalidURL: It cannot be parsed, or carries a secret.
    """

    __slots__ = ("host", "parameters", "path", "scheme")

    def __init__(self, url: str) -> None:
        _check_text(url)
        rest = url.partition("://")[2]
        host = _before(rest, "/?#")
        # A password may contain a "/" or "?", at which urlsplit would end the host. A file's path
        # may contain an "@"; a prefix, which follows a host, may not.
        if "@" in host or (":" in host and "@" in rest) or (host and "@" in _before(rest, "?#")):
            raise InvalidURL(
                "a store URL must not carry a user or password (://…@…), and a prefix must not "
                "contain '@': credentials come from the SDK's own chain"
            )
        if _has_control(url):  # urlsplit would drop some, and name another bucket or file
            raise InvalidURL(
                f"a store URL must not contain control characters: {without_query(url)!r}"
            )
        if not _begins_with_scheme(url):  # it may be a connection string, or a key by itself
            raise InvalidURL(
                "a store URL must begin with scheme://, as in s3://bucket/prefix or "
                "sqlite:///state.db; got "
                f"{len(url)} characters (hidden: may be a secret)"
            )
        parts = _unless_invalid(split, url)
        if parts is None:
            raise InvalidURL(f"not a URL: {without_query(url)!r}")
        pairs = _unless_invalid(_pairs, parts.query)
        if pairs is None:
            raise InvalidURL(
                f"what follows the ? in a store URL must be name=value, with & between several: "
                f"{without_query(url)!r}"
            )
        if parts.fragment:
            raise InvalidURL(f"a store URL must not have a fragment (#): {without_query(url)!r}")
        path = _before(rest, "?#")
        misplaced = re.search(_MISPLACED, path, re.IGNORECASE) if "=" in path else None
        if misplaced is not None:
            raise InvalidURL(
                f"{misplaced[1]}= in the path would put a secret into a URL, and URLs get logged: "
                "credentials come from the SDK's own chain"
            )
        for name, value in pairs:
            check_no_secret(name, value)
        if len({name for name, _ in pairs}) < len(pairs):
            raise InvalidURL(f"query parameter repeated in {without_query(url)!r}")
        self.scheme = parts.scheme
        self.host = parts.netloc
        self.path = parts.path
        self.parameters: dict[str, Any] = dict(pairs)


def _check_text(url: object) -> None:
    """Checks that a store URL is a text that can be one.

    Raises:
        InvalidURL: It is not.
    """
    if not isinstance(url, str):
        raise InvalidURL(
            f"a store URL must be a string, not {type(url).__name__}; the URL of a file is "
            "sqlite:///relative.db or sqlite:////absolute.db"
        )
    if len(url) > MAX_URL:
        raise InvalidURL(
            f"a store URL has at most {MAX_URL:,} characters; this one has {len(url):,}"
        )
    if not url.isascii() and _unless_invalid(str.encode, url) is None:
        raise InvalidURL(
            "a store URL must not contain a lone surrogate, which has no UTF-8 form: "
            f"{without_query(url)!r}"
        )


def _unless_invalid(work: Callable[[str], V], text: str) -> V | None:
    """What is made of a text; None if it is not valid.

    Errors of ours are raised outside of the handler: the text may be a secret, and even as a hidden
    context the error would show it to some loggers.
    """
    try:
        return work(text)
    except ValueError:
        return None


def check_no_secret(name: str, value: str) -> None:
    """Refuses a URL parameter that carries a secret.

    Raises:
        InvalidURL: It does; the message shows only its name.
    """
    lower = name.lower()
    key = lower.strip() == "key" or lower.strip().endswith("_key")
    if (key or any(word in lower for word in _SECRETS)) and lower not in _NO_SECRET:
        raise InvalidURL(
            f"the parameter {shown(name)} would put a secret into a URL, and URLs get logged: "
            "credentials come from the SDK's own chain, or from keywords of open_store"
        )
    if "://" in value and "@" in value:
        raise InvalidURL(f"the URL in parameter {shown(name)} must not carry a user or password")


def read_options(values: dict[str, Any], kind: type[T], *, keywords: Collection[str] = ()) -> T:
    """Reads options (text from a URL, or keywords) into a struct that declares them.

    Args:
        values: The options.
        kind: The struct.
        keywords: The names of those that are keywords: only in a URL is a number, or true and
            false, written as text.

    Raises:
        InvalidArgument: One is unknown or of the wrong type; the message does not show its value,
            which may be a secret.
    """
    for name, value in values.items():
        # msgspec 0.21 raises a SystemError if an int is too large for a float.
        if type(value) is int and value.bit_length() > _MAX_BITS:
            raise InvalidArgument(f"the option {shown(name)} is too large a number")
    try:
        options = msgspec.convert(values, complete(kind), strict=False)
    except msgspec.ValidationError as error:
        why = _why_refused(str(error), kind)
    except UnicodeEncodeError as error:
        named = (name for name, value in values.items() if value == error.object)
        name = next(named, error.object)  # else it is the name of an option that does not exist
        why = f"the option {shown(name)} contains a lone surrogate, which has no UTF-8 form"
    else:
        why = ""
    if why:  # outside of the handlers: see `_unless_invalid`
        raise InvalidArgument(why)
    for name, value in values.items():
        read = getattr(options, name, value)
        if read is None and value is not None:  # msgspec takes the text "null" for None
            raise InvalidArgument(f"the option {name!r} must not be null: leave it out")
        if name in keywords:
            _check_keyword(name, value, read)
    return options


def _check_keyword(name: str, given: object, read: object) -> None:
    """Checks that a keyword was read as it was given, and not as text in a URL is."""
    if isinstance(read, bool) and not isinstance(given, bool):
        raise InvalidArgument(f"the option {name!r} must be True or False, as in {name}={read}")
    if isinstance(given, str) and not isinstance(read, str):
        kind = "a whole number" if isinstance(read, int) else "a number"
        raise InvalidArgument(
            f"the option {name!r} must be {kind}, not text, as in {name}={read}; only in a URL is "
            "it text"
        )


def _why_refused(said: str, kind: type[msgspec.Struct]) -> str:
    """What is wrong with an option, from msgspec's message, which shows no value."""
    if unknown := re.match(_UNKNOWN, said):
        options = sorted({*kind.__struct_fields__, *StoreOptions.__struct_fields__})
        return f"there is no option {shown(unknown[1])}; available: {', '.join(options)}"
    if found := re.match(_REFUSED, said):
        expected, rule, got, name = found.groups()
        but = "" if got is None else f", not {_TYPES.get(got, got)}"
        kinds = [one for one in expected.split(" | ") if one != "null"]
        must = " or ".join(_TYPES.get(one, one) for one in kinds)
        if name in _DURATIONS and must == "a number":
            must = f"a number of seconds, as in {name}=60"
        return f"the option {name!r} must be {must}{rule}{but}"
    if found := re.match(_NO_CHOICE, said):
        hint = get_type_hints(kind)[found[1]]
        choices = [
            value
            for part in (hint, *get_args(hint))
            if get_origin(part) is Literal
            for value in get_args(part)
        ]
        some, last = ", ".join(choices[:-1]), choices[-1]
        return f"the option {found[1]!r} must be {some} or {last}"
    return "an option is invalid: " + re.sub(r""" (['"]).*\1""", "", excerpt(said), flags=re.DOTALL)


def check_endpoint(url: str) -> None:
    """Checks that the option ``endpoint_url`` is the plain URL of a server, perhaps with a path.

    Raises:
        InvalidURL: It is not; the message shows no part of it that may be a secret.
    """
    if not _begins_with_scheme(url):
        raise InvalidURL(
            "endpoint_url must begin with http:// or https://, as in http://localhost:9000"
        )
    parts = _unless_invalid(_with_port, url)
    if parts is None:
        raise InvalidURL("endpoint_url is not a URL")
    if "@" in url or parts.query or parts.fragment:
        raise InvalidURL(
            "endpoint_url must be https://host or https://host/path, without user, query or "
            f"fragment: {without_query(url)!r}"
        )
    host = parts.hostname or ""
    named = bool(host) and (_NAME.issuperset(host) or _ADDRESS.issuperset(host))
    if parts.scheme not in {"http", "https"} or not named or _has_control(url):
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
        if not segment or segment.endswith(".") or not _SEGMENT.issuperset(segment):
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
    host = location.host
    if not (host[:1] == "$" or host[:1] in _ALPHANUMERIC) or not _NAME.issuperset(host[1:]):
        raise InvalidURL(
            f"{location.scheme}:// must name a {what}, as in {location.scheme}://{what}/prefix: "
            f"{without_query(f'{location.scheme}://{host}')!r}"
        )
    return host


def without_query(url: str) -> str:
    """The part of a URL that may be shown.

    Returns:
        Scheme, host and path, up to a character at which a secret may begin (query, fragment,
        ``;``, ``@``); without anything before an ``@``, and shortened if it is long. Empty if the
        text is not a URL.
    """
    if not _begins_with_scheme(url):
        return ""
    scheme, _, rest = url.partition("://")
    text = f"{scheme}://…" if "@" in rest else f"{scheme}://{_before(rest, '?#;')}"
    return text if len(text) <= MAX_EXCERPT else f"{text[:MAX_EXCERPT]}…"


def _begins_with_scheme(text: str) -> bool:
    scheme, slashes, _ = text.partition("://")
    return bool(slashes and scheme) and _SCHEME.issuperset(scheme)


def _has_control(text: str) -> bool:
    """Whether a text holds a control character of ASCII's."""
    return not text.isprintable() and any(char < " " or char == "\x7f" for char in text)


def _before(text: str, ends: str) -> str:
    """What stands before the first of some characters."""
    for end in ends:
        text = text.partition(end)[0]
    return text

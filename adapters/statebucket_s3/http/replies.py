"""Converts the replies of S3's REST API to the port's form, and its errors to ours.

What a first load does not need (errors, listings, XML) is imported where it is used.
"""

from __future__ import annotations

from binascii import b2a_base64
from itertools import repeat
from typing import TYPE_CHECKING, Any

from statebucket.contract.versions import Version
from statebucket.errors import StateBucketError, Unavailable
from statebucket.port.bucket import ObjectInfo, Page, PrefixPage
from statebucket.port.dates import from_iso
from statebucket_s3 import codes
from statebucket_s3.codes import EXPIRED, MISSING, in_headers, of_code, unreadable
from statebucket_s3.http.checksums import checksum_of
from statebucket_s3.http.requests import requested_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from statebucket.port.bucket import Deletion
    from statebucket.port.lifecycle import Lifecycle
    from statebucket_http.wire import Reply, Request

_OK = range(200, 300)
_PARTIAL = 206
_BAD_REQUEST = 400
_NOT_FOUND = 404
_META = "x-amz-meta-"
_ELSEWHERE = frozenset({301, 302, 307, 400})
_WANTED = {"Key", "LastModified", "ETag", "Size"}
_HASHES = {"x-amz-checksum-sha256": "sha256", "x-amz-checksum-sha1": "sha1"}


class S3Error(Exception):
    """S3's reply in its SDK's form; the cause of one of our errors."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(code, message, status)  # all of them, since pickling a cause needs them
        self.response = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }

    def __str__(self) -> str:
        code, message, status = self.args
        return f"{code} ({status}): {message}"


class Answer:
    """A reply that reports an error, decoded.

    Attributes:
        code: S3's code, or the status if the reply has none.
        missing: Whether it reports that the object does not exist. Only a HEAD, whose reply has no
            body, is taken at its bare status. It is never true of a request about the bucket.
        region: The bucket's region, if the request went to another one.
    """

    def __init__(self, reply: Reply, request: Request) -> None:
        values = _error(reply.body)
        method = request.method
        self._reply = reply
        self._request = request
        self._header = values.get("Header", "")
        code, message = in_headers(reply.headers)
        self._message = values.get("Message", message)
        self.code = values.get("Code") or code or str(reply.status)
        bare = method == "HEAD" and self.code == str(_NOT_FOUND)
        self.missing = bool(request.path) and (self.code in MISSING or bare)
        self.region: str | None = None
        if reply.status in _ELSEWHERE:
            self.region = (
                reply.headers.get("x-amz-bucket-region")
                or values.get("Region")
                or codes.region_in(self.code, self._message)
            )

    def error(self) -> StateBucketError:
        """Our error, with S3's as its cause."""
        from statebucket.port.retry_after import seconds_of  # noqa: PLC0415  (see the top)

        status = self._reply.status
        found = of_code(
            self.code,
            self._message,
            status,
            requested=requested_of(self._request),
            header=self._header,
        )
        found.retry_after = seconds_of(self._reply.headers.get("retry-after"))
        found.__cause__ = S3Error(self.code, self._message, status)
        return found


def answer_of(reply: Reply, request: Request) -> Answer | None:
    """What went wrong, according to the reply to a request; None for a success."""
    return None if reply.status in _OK else Answer(reply, request)


def expired(reply: Reply) -> bool:
    """Whether a reply says that the key that signed the request has expired."""
    if reply.status != _BAD_REQUEST:
        return False
    return (_error(reply.body).get("Code") or in_headers(reply.headers)[0]) in EXPIRED


def _error(body: bytes) -> dict[str, str]:
    from statebucket_s3.http.xml_documents import parse  # noqa: PLC0415  (see the top)

    try:
        root, values = parse(body)
    except ValueError:  # none, or a page of something between S3 and us
        return {}
    return _texts(values) if root == "Error" else {}


def _texts(values: Any) -> dict[str, str]:  # noqa: ANN401  (what `parse` returns)
    """The texts in an element, which from S3 contains nothing else."""
    found = values.items() if isinstance(values, dict) else ()
    return {name: value for name, value in found if isinstance(value, str)}


def version_of(reply: Reply) -> Version:
    """The version that a reply names.

    Raises:
        Unavailable: It names none, so it is not from S3.
    """
    etag = reply.headers.get("etag")
    if not etag:
        raise unreadable()
    return Version(etag)


def info_of(name: str, reply: Reply, size: int) -> ObjectInfo:
    """An object, from the headers of a reply about it."""
    metadata = {
        key[len(_META) :]: value for key, value in reply.headers.items() if key.startswith(_META)
    }
    return ObjectInfo(name, version_of(reply), size, metadata)


def size_of(reply: Reply) -> int:
    """The size according to the reply to a HEAD."""
    text = reply.headers.get("content-length", "")
    if not text.isdecimal():
        raise unreadable()
    return int(text)


def whole(reply: Reply) -> int:
    """Checks that the body of a reply is complete and unaltered, and returns its size in bytes.

    S3's checksums are compared if Python can compute them; the HTTP client has compared the length,
    if there was one. A body with neither, and without any other end, may be truncated.

    Raises:
        Unavailable: It is cut short, or may be, or is not what was stored.
    """
    body, tail, headers = reply.body, reply.tail, reply.headers
    size = len(body) + len(tail)
    if reply.status == _PARTIAL:
        raise Unavailable("S3 answered with a part of the object, though all of it was requested")
    length = headers.get("content-length")
    if length is not None and length != str(size):
        raise Unavailable(f"the body is truncated: {size} of {length} bytes arrived")
    stated = headers.get("x-amz-checksum-crc32")
    found = checksum_of(body, (tail,)) if stated is not None else b""
    for header, algorithm in _HASHES.items():
        if header in headers:
            from hashlib import new  # noqa: PLC0415

            hashed = new(algorithm, body, usedforsecurity=False)
            hashed.update(tail)
            stated, found = headers[header], hashed.digest()
    if stated is None or "-" in stated or headers.get("x-amz-checksum-type") == "COMPOSITE":
        # None, or the checksum of an upload's parts.
        if not reply.framed:
            raise Unavailable("the body ended with the connection and may be truncated")
    elif b2a_base64(found, newline=False).decode() != stated:
        raise Unavailable("the body does not match S3's checksum")
    return size


def page_of(reply: Reply, prefix: str, after: str | None) -> Page:
    """One page of ``ListObjectsV2``.

    Args:
        reply: The reply.
        prefix: The prefix requested.
        after: The token that requested this page.
    """
    from statebucket_http.xml_entries import read_entries  # noqa: PLC0415  (off the cold start)

    read = read_entries(reply.body, "Contents", _WANTED)
    if read is not None and all(set(group.keys) == _WANTED for group in read.groups):
        values = _values(read.rest, "ListBucketResult", {"Contents"})
        if values.get("Contents") == [""]:
            groups = [group.columns() for group in read.groups]
            return _page(values, groups, prefix, after)
    values = _values(reply.body, "ListBucketResult", {"Contents"})
    entries = [_texts(entry) for entry in values.get("Contents", ())]
    try:
        columns: dict[str, Sequence[str | None]] = {
            key: [entry[key] for entry in entries] for key in ("Key", "ETag", "Size")
        }
    except KeyError:
        raise unreadable() from None
    columns["LastModified"] = [entry.get("LastModified") for entry in entries]
    return _page(values, [columns], prefix, after)


def _page(
    values: dict[str, Any],
    groups: Iterable[Mapping[str, Sequence[Any]]],
    prefix: str,
    after: str | None,
) -> Page:
    """A page: what the document says about itself, and its entries' texts by their element."""
    _check_prefix(values, prefix)
    objects: list[ObjectInfo] = []
    for columns in groups:
        names = map(_decoder(values), columns["Key"])
        tags = map(Version, columns["ETag"])
        dates = map(from_iso, columns["LastModified"])
        try:
            objects += map(ObjectInfo, names, tags, map(int, columns["Size"]), repeat({}), dates)
        except ValueError:
            raise unreadable() from None
    return Page(objects, _following(values, after))


def prefixes_of(reply: Reply, prefix: str, after: str | None) -> PrefixPage:
    """One page of ``ListObjectsV2`` with a delimiter; the arguments are those of `page_of`."""
    values = _values(reply.body, "ListBucketResult", {"CommonPrefixes", "Contents"})
    decoded = _decoder(values)
    _check_prefix(values, prefix)
    try:
        prefixes = [decoded(_texts(entry)["Prefix"]) for entry in values.get("CommonPrefixes", ())]
    except KeyError:
        raise unreadable() from None
    return PrefixPage(prefixes, _following(values, after))


def _check_prefix(values: dict[str, Any], prefix: str) -> None:
    from statebucket_s3 import listing  # noqa: PLC0415  (see the top)

    echo = _texts(values).get("Prefix")
    listing.check_prefix(prefix, echo and _decoder(values)(echo))


def _following(values: dict[str, Any], after: str | None) -> str | None:
    from statebucket_s3 import listing  # noqa: PLC0415  (see the top)

    token, truncated = values.get("NextContinuationToken"), values.get("IsTruncated")
    # Each page of S3 says whether more follows; a document that does not is not a listing. (This is
    # a tuple, not a set: the value may be elements instead of text, which cannot be hashed.)
    if truncated not in ("true", "false") or not isinstance(token, str | None):
        raise unreadable()
    return listing.following(token, after, truncated=truncated == "true")


def check_empty(reply: Reply) -> None:
    """Refuses a successful reply with a body, for requests that S3 answers without one.

    Raises:
        Unavailable: It is a page of something between S3 and us.
    """
    if reply.body:
        raise unreadable()


def written(reply: Reply) -> Version:
    """The version that a write made.

    Raises:
        StateBucketError: S3 reports an error, which it puts into a 200 reply, too, once it has
            begun to reply; or the reply is not from S3.
    """
    texts = _error(reply.body) if reply.body else {}
    if texts:
        raise of_code(texts.get("Code", ""), texts.get("Message", ""), 500)
    return version_of(reply)


def deletions_of(reply: Reply, names: Sequence[str]) -> list[Deletion]:
    """The result for each object of ``DeleteObjects``, whose reply names only failures."""
    from statebucket_s3 import batch  # noqa: PLC0415  (see the top)

    values = _values(reply.body, "DeleteResult", {"Error", "Deleted"})
    return batch.deletions_of(
        map(_texts, values.get("Error", ())), map(_texts, values.get("Deleted", ())), names
    )


def lifecycle_of(reply: Reply) -> Lifecycle:
    """The lifecycle rules."""
    from statebucket_s3 import lifecycle  # noqa: PLC0415  (rarely needed)
    from statebucket_s3.http import lifecycle_xml  # noqa: PLC0415

    minimum = reply.headers.get("x-amz-transition-default-minimum-object-size")
    try:
        return lifecycle.read(lifecycle_xml.read(reply.body, minimum))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise unreadable() from None


def _values(body: bytes, root: str, repeated: set[str]) -> dict[str, Any]:
    """The content of a 200 reply; S3 puts an error there, too, once it has begun to reply."""
    from statebucket_s3.http.xml_documents import parse  # noqa: PLC0415  (see the top)

    try:
        name, values = parse(body, repeated)
    except ValueError:
        raise unreadable() from None
    if name == "Error" and isinstance(values, dict):
        texts = _texts(values)
        raise of_code(texts.get("Code", ""), texts.get("Message", ""), 500)
    if name != root:
        raise unreadable()
    return values if isinstance(values, dict) else {}


def _decoder(values: dict[str, Any]) -> Callable[[str], str]:
    """How to read the names of a listing; not every service encodes them when requested to."""
    return _decoded if values.get("EncodingType") == "url" else _as_it_is


def _as_it_is(name: str) -> str:
    return name


def _decoded(name: str) -> str:
    if "%" not in name and "+" not in name:
        return name
    from urllib.parse import unquote_plus  # noqa: PLC0415  (see the top)

    return unquote_plus(name)

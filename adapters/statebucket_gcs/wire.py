"""Objects and listings in the forms of Cloud Storage's two APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import Unavailable, shown
from statebucket.port.bucket import Object, ObjectInfo
from statebucket.port.complete_types import complete, complete_at_once
from statebucket.port.dates import from_iso
from statebucket_gcs.checksums import altered, field_of
from statebucket_gcs.errors import malformed

if TYPE_CHECKING:
    from datetime import datetime

    from statebucket.port.bucket import Write
    from statebucket_gcs.answer import Answer

T = TypeVar("T")

_META = "x-goog-meta-"


@complete_at_once
class Resource(msgspec.Struct):
    """An object as the JSON API describes it; numbers are text there."""

    generation: Annotated[int, msgspec.Meta(gt=0)]
    size: Annotated[int, msgspec.Meta(ge=0)]
    name: str = ""
    metadata: dict[str, str] = {}
    crc32c: str | None = None
    md5: str | None = msgspec.field(default=None, name="md5Hash")
    updated: str | None = None

    def check(self, name: str, size: int | None = None, *, writes: bool = False) -> None:
        """Compares the description with what was requested.

        Args:
            name: The object's name.
            size: Its size, if known.
            writes: Whether the request would have changed something.

        Raises:
            Unavailable: It describes another object, or another body.
        """
        if self.name != name:
            raise malformed(f"it describes another object, {shown(self.name)}", writes=writes)
        if size is not None and self.size != size:
            raise malformed(f"it describes {self.size} bytes instead of {size}", writes=writes)

    def info(self, name: str) -> ObjectInfo:
        """The port's form of an object known by name."""
        return self._info(name, None)

    def listed(self) -> ObjectInfo:
        """The port's form of an object in a listing."""
        return self._info(self.name, from_iso(self.updated))

    def _info(self, name: str, modified_at: datetime | None) -> ObjectInfo:
        metadata = {key.lower(): value for key, value in self.metadata.items()}
        version = Version(str(self.generation))
        return ObjectInfo(name, version, self.size, metadata, modified_at)


@complete_at_once
class Listing(msgspec.Struct, rename="camel"):
    """A page of a listing of the JSON API.

    Other JSON lacks its ``kind``, and would otherwise pass for an empty page.
    """

    kind: Literal["storage#objects"]
    items: list[Resource] = []
    prefixes: list[str] = []
    next_page_token: str | None = None


def describe(write: Write) -> bytes:
    """The JSON API's description of an object that is to be written."""
    resource = {
        "name": write.name,
        "contentType": write.content_type,
        "metadata": write.metadata,
        **field_of(write.body),  # the service refuses a body that arrived altered
    }
    if write.expiry is not None:
        moment = write.expiry.at.isoformat(timespec="milliseconds")
        resource["customTime"] = moment.replace("+00:00", "Z")
    return msgspec.json.encode(resource)


def from_headers(name: str, answer: Answer) -> Object:
    """The object in a reply of the XML API, which has all but the body in headers.

    Raises:
        Unavailable: The body is incomplete.
    """
    headers = answer.headers
    metadata = {
        key.removeprefix(_META): value for key, value in headers.items() if key.startswith(_META)
    }
    checked = answer.framed
    # Another program's gzip object comes decompressed; size and hash are of the stored bytes.
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        stored = headers.get("x-goog-stored-content-length")
        hashes = headers.get("x-goog-hash", "")
        try:
            size = None if stored is None else int(stored)
        except ValueError:
            raise malformed("x-goog-stored-content-length is not a number") from None
        check_body(answer.body, size, _hash_in(hashes, "crc32c="), _hash_in(hashes, "md5="))
        checked = checked or size is not None or bool(hashes)
    if not checked:
        raise Unavailable("the body ended with the connection and may be truncated")
    generation = headers["x-goog-generation"]
    if not (generation.isascii() and generation.isdecimal()):
        raise malformed("x-goog-generation is not a number")
    version = Version(generation)
    return Object(ObjectInfo(name, version, len(answer.body), metadata), answer.body)


def _hash_in(hashes: str, kind: str) -> str | None:
    """A checksum in the header that lists them; None if it is not among them."""
    _, found, rest = hashes.partition(kind)
    return rest.partition(",")[0].strip() if found else None


def check_body(body: bytes, size: int | None, crc32c: str | None, md5: str | None) -> None:
    """Compares a body with the size and checksums of the reply, as far as it has them.

    Raises:
        Unavailable: They differ.
    """
    if size is not None and len(body) != size:
        raise Unavailable(f"the body is truncated: {len(body)} of {size} bytes arrived")
    if wrong := altered(body, crc32c, md5):
        raise Unavailable(f"the body does not match the service's {wrong}")


def decode(answer: Answer, kind: type[T]) -> T:
    """Reads the body of a successful reply of the JSON API.

    Raises:
        Unavailable: It is not in the documented form.
    """
    try:
        return msgspec.json.decode(answer.body, type=complete(kind), strict=False)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise malformed("unexpected response format", writes=answer.writes) from error

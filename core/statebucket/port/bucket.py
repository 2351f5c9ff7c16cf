"""The port that an adapter implements: nine calls on one bucket, which know nothing of executions.

An adapter translates: a call to its SDK's call, the SDK's errors to those of `statebucket.errors`,
expiry to its cloud's own form. It neither retries nor waits, and turns its SDK's retries off: the
core does both, within the caller's deadline, and cancels a call that is late. The core decides what
an object means (names, TTL, tenants, conflicts).

Every call may raise `AccessDenied`, `InvalidCredentials`, `BucketNotFound`, `Throttled`,
`Unavailable` and `RequestRejected`. An adapter sets ``outcome="unknown"`` on an error of a write
whenever the request may have reached the service and been carried out. Its error messages say what
the service answered; the core adds the object's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import StateBucketError
from statebucket.port.expiry import Expiry

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON = "application/json"
BYTES = "application/octet-stream"


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object without its body.

    Attributes:
        name: The whole object name.
        version: The service's version token.
        size: The stored size in bytes.
        metadata: The user metadata, names in lower case; empty in a listing of a service that
            does not list it (``limits.lists_metadata``).
        modified_at: In a listing, when the object was last written (UTC), by the service's clock;
            None if the service gives no readable time. Other calls may leave it out.
    """

    name: str
    version: Version
    size: int
    metadata: Mapping[str, str]
    modified_at: datetime | None = None


class Object(msgspec.Struct, frozen=True):
    """An object with its body, read in one request.

    Attributes:
        info: Its name, version, size and metadata.
        body: Its bytes, without those in ``tail``.
        tail: Its last bytes, as many as the metadata ``tail`` says, where the adapter returns them
            apart so that the others need not be copied; otherwise empty. See `Limits.takes_tail`.
    """

    info: ObjectInfo
    body: bytes
    tail: bytes = b""


class Write(msgspec.Struct, frozen=True):
    """One object to be written.

    Attributes:
        name: The whole object name, ASCII, at most 1,024 bytes.
        body: The bytes to store, exactly.
        content_type: Their media type.
        metadata: User metadata; names are lower-case letters and digits, values ASCII.
        expiry: When the object expires: the adapter turns the class into a tag, or the moment
            into a custom time. (The exact moment is in ``metadata`` already.)
        tail: More bytes to store, directly after ``body``; always empty unless the adapter's
            ``limits.takes_tail`` is set.
    """

    name: str
    body: bytes
    content_type: str
    metadata: dict[str, str]
    expiry: Expiry | None
    tail: bytes = b""


class Deletion(msgspec.Struct, frozen=True):
    """What became of one object in a batch delete.

    Attributes:
        name: The whole object name.
        existed: Whether there was something to delete; None if the service does not say. Where
            the service returns the object it deleted, that object, as for `Bucket.delete`.
        error: Why the object is still there, or None when it is gone.
    """

    name: str
    existed: ObjectInfo | bool | None = None
    error: StateBucketError | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of a listing, in order of names.

    Attributes:
        objects: The objects; may be empty although more follow.
        following: Pass it as ``after`` to get the next page; None after the last.
    """

    objects: list[ObjectInfo]
    following: str | None


class PrefixPage(msgspec.Struct, frozen=True):
    """One page of the prefixes below a prefix, each up to and including the next ``/``."""

    prefixes: list[str]
    following: str | None


class Limits(msgspec.Struct, frozen=True):
    """Differences between services that the core must know.

    Attributes:
        unique_versions: Whether a version is unique to a write. Where it is a hash of the body
            (S3's ETag), the core ends each body with a nonce.
        lists_metadata: Whether ``list`` returns metadata.
        delete_batch: The most objects that one ``delete_many`` takes.
        delete_requests: Whether ``delete_many`` sends one request for each object. The core then
            calls it with one object at a time, each with a deadline of its own. An adapter may set
            it when the service refuses a batch as a whole: the core then calls it again for each
            object whose entry has an error.
        write_interval: Seconds to leave between two writes of one object, or 0.
        needs_loop: Whether its calls need an event loop. An adapter that needs none waits only
            through `statebucket.port.waiting.here`, so that the blocking store starts no loop for
            it.
        lists_in_order: Whether listings are in the order of names. The core then recognizes pages
            that answer another request.
        takes_tail: Whether ``put`` stores a write's ``tail``, and ``get`` may return one.
            Otherwise the core appends the nonce to the body and cuts it off, which copies the body.
    """

    unique_versions: bool = True
    lists_metadata: bool = True
    delete_batch: int = 1000
    delete_requests: bool = False
    write_interval: float = 0.0
    lists_in_order: bool = True
    needs_loop: bool = True
    takes_tail: bool = False


@runtime_checkable
class Bucket(Protocol):
    """One bucket, container or database file."""

    name: str
    """"s3", "gcs", "azure", "sqlite", "memory", or a third party's own."""

    requires_network: bool
    limits: Limits

    async def put(self, write: Write, condition: Version | None) -> Version:
        """Stores an object atomically, in one request (more only for large bodies).

        Args:
            write: What to store.
            condition: None writes always; `Version.ABSENT` only creates; a version replaces only
                it.

        Raises:
            PreconditionFailed: The condition does not hold (also when the object to replace is
                gone, or the version is not a valid one for this service).
        """
        ...

    async def get(self, name: str) -> Object | None:
        """Reads an object, body and metadata, in one request; None if it does not exist.

        Raises:
            Unavailable: The body was cut short or does not match the service's checksum.
        """
        ...

    async def head(self, name: str) -> ObjectInfo | None:
        """Reads an object's version and metadata in one request; None if it does not exist."""
        ...

    async def delete(self, name: str, condition: Version | None = None) -> ObjectInfo | bool | None:
        """Deletes an object in one request.

        Args:
            name: The object.
            condition: Delete only this version.

        Returns:
            Whether it existed; None if the service does not say. Where the service returns the
            deleted object in the same reply, that object: the core then knows whether it had
            expired.

        Raises:
            PreconditionFailed: The object is at another version. An object that is already gone is
                no error; if the service answers both cases alike, the adapter may raise this, and
                the core finds out.
        """
        ...

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """Deletes up to ``limits.delete_batch`` objects, in one request where the service can.

        Returns one entry for each name, in any order. A failure of one object is in its entry; only
        a failure of the whole request is raised.
        """
        ...

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """Lists up to ``limit`` (1 to 1,000) objects below ``prefix``, in one request.

        Args:
            prefix: What their names begin with; it need not end in a ``/``.
            after: ``following`` of the page before.
            limit: The most objects to return.
            start_after: Begin with the first name after this one, which begins with ``prefix``; the
                same for each page of a listing. A service that cannot do so may list this name and
                those before it: the core leaves them out.
        """
        ...

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """Lists the prefixes one ``/`` below ``prefix``, in one request a page.

        Args:
            prefix: What they begin with.
            after: ``following`` of the page before.
            limit: The most prefixes to return.
            start_after: Begin with the first prefix behind this one, which is one of them and ends
                in ``/``; as in `list`, a page may hold this one and those before it.
        """
        ...

    async def check(self, prefix: str) -> None:
        """Checks, in one request, that the bucket can be reached and listed.

        Raises:
            StateBucketError: What is wrong.
        """
        ...

    async def close(self) -> None:
        """Closes the adapter's resources for the running loop; never the caller's own client."""
        ...


class Confidential(msgspec.Struct, frozen=True):
    """A value of which a part may be secret. Each subclass has a ``repr`` that shows none of it.

    What logs an exception may log its frames' locals.
    """

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("shown", repr(self))]  # msgspec's would have every field in rich's tracebacks


class Location(Confidential, frozen=True):
    """A parsed store URL, for an adapter's entry point.

    Attributes:
        scheme: The text before ``://``.
        host: The text between ``://`` and the next slash: a bucket, container or name.
        path: The rest of the path, with its leading slash.
        options: The query parameters (text) and keyword options of ``open_store`` that are not the
            core's own.
        deadline: Seconds that a call may take.
        max_in_flight: The most requests at one time, from one event loop.
        keywords: The names of those options that are keywords of ``open_store``; the others are in
            the URL, where a number is text.
    """

    scheme: str
    host: str
    path: str
    options: dict[str, Any]
    deadline: float
    max_in_flight: int
    keywords: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return (
            f"Location({self.scheme}://{self.host}{self.path}, options: {', '.join(self.options)})"
        )


class OpenedBucket(msgspec.Struct, frozen=True):
    """What an adapter's entry point returns.

    Attributes:
        bucket: The bucket.
        prefix: What the names of its objects begin with.
        elsewhere: Where a store that is pickled is opened in another process, if not at the same
            location. Without it a bucket that ``requires_network`` is opened at the same one, and
            any other is refused.
    """

    bucket: Bucket
    prefix: str = ""
    elsewhere: Location | None = None

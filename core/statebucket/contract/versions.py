"""What is known of a stored object besides its value: its version, expiry and size."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Generic, TypeVar

import msgspec

from statebucket.errors import InvalidArgument, shown

T = TypeVar("T")


class Version:
    """The version of a stored object, unique to the write that made it.

    Opaque: compare it, pass it as ``if_version``, or carry it to another process as
    ``str(version)`` and back through ``Version(text)``.

    Args:
        token: The service's own token: an ETag, a generation, a row version.
    """

    __slots__ = ("token",)

    ABSENT: ClassVar[Version]
    """As ``if_version``: the object must not exist, the write only creates."""

    def __init__(self, token: str) -> None:
        if not isinstance(token, str) or not token:
            raise InvalidArgument(
                f"a version token must be a string that is not empty: {shown(token)}"
            )
        self.token = token

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and other.token == self.token

    def __hash__(self) -> int:
        return hash((Version, self.token))

    def __str__(self) -> str:
        return self.token

    def __repr__(self) -> str:
        return "Version.ABSENT" if self.token == _ABSENT else f"Version({self.token!r})"


_ABSENT = "absent"  # no service uses this token: ETags are quoted or 0x…, generations are digits
Version.ABSENT = Version(_ABSENT)


class Stored(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A value together with what the store knows of the object that holds it.

    Attributes:
        value: The decoded value.
        version: Pass it as ``if_version`` to replace only this version.
        expires_at: When the value expires (UTC), or None if it does not.
        size: The size of the value as stored, in bytes, without statebucket's own additions.
    """

    value: T
    version: Version
    expires_at: datetime | None
    size: int

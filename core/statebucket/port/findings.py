"""What an examination of a bucket finds, and what an adapter offers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import msgspec

from statebucket.port.remedies import Remedies, Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.port.bucket import Bucket

Status = Literal["ok", "note", "unknown", "warning", "fault"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an examination.

    Attributes:
        check: What was looked at: "reach", "identity", "rights", "conditions", "lifecycle",
            "versions", "public", "clock", "latency", "sweep", and what else a service can be
            looked at for.
        status: "ok"; "note": good to know; "unknown": could not be found out; "warning": works,
            but should be fixed; "fault": does not work.
        message: What is so.
        remedy: How to fix it; None where nothing needs to be.
    """

    check: str
    status: Status
    message: str
    remedy: Remedy | None = None


@runtime_checkable
class Diagnosable(Protocol):
    """What an adapter may offer beside its `Bucket`, for ``statebucket doctor``."""

    @property
    def remedies(self) -> Remedies:
        """How the users of this service fix what every store may run into."""
        ...

    async def examine(self, prefix: str) -> Sequence[Finding]:
        """Looks at what only the service's own API shows: identity, versioning, clock, and so on.

        It only reads. What the identity has no right to see is a finding, not an error.

        Args:
            prefix: What the names of the store's objects, or of some of them, begin with: where
                the identity should be allowed to list.
        """
        ...


@runtime_checkable
class Adjustable(Protocol):
    """What an adapter may offer whose services differ in something that an option adjusts."""

    def adjusted(self) -> Mapping[str, Bucket]:
        """The same bucket as other options would have it, by the option as the store's URL has it.

        The doctor tries them where the service refuses a condition that holds, and closes them.
        """
        ...

"""What the doctor finds out about a bucket, and what an adapter can offer for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import msgspec

from statebucket.port.remedies import Remedies, Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.port.bucket import Bucket

Status = Literal["ok", "note", "unknown", "warning", "fault"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's report.

    Attributes:
        check: What was checked: "reach", "identity", "rights", "conditions", "lifecycle",
            "versions", "public", "clock", "latency", "sweep", and others that a service has.
        status: "ok"; "note": good to know; "unknown": could not be checked; "warning": works, but
            should be fixed; "fault": does not work.
        message: What was found.
        remedy: How to fix it; None if nothing needs to be.
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
        """How the users of this service fix problems that every store may have."""
        ...

    async def examine(self, prefix: str) -> Sequence[Finding]:
        """Checks what only the service's own API shows: identity, versioning, clock, and so on.

        It only reads. What the identity has no right to see is a finding, not an error.

        Args:
            prefix: A prefix of the store's object names below which the identity should be allowed
                to list.
        """
        ...


@runtime_checkable
class Adjustable(Protocol):
    """What an adapter may offer if an option adjusts it to differences between services."""

    def adjusted(self) -> Mapping[str, Bucket]:
        """The same bucket opened with other options, each by its text in the store's URL.

        The doctor tries them if the service refuses a condition that is true, and closes them.
        """
        ...

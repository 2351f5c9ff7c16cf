"""Which of the entries of a listing a caller wants."""

from __future__ import annotations

import msgspec

from statebucket.contract.segments import EXECUTION_KEY, beginnings, encode, execution_key
from statebucket.errors import InvalidArgument, shown


class Selection(msgspec.Struct, frozen=True):
    """A part of a listing.

    Attributes:
        prefix: What the ids or keys begin with.
        after: The id or key after which they come, in the order of escaped names.
        limit: The most of them; None for all.
    """

    prefix: str = ""
    after: str | None = None
    limit: int | None = None

    def check(self) -> Selection:
        """Returns the selection after checking it.

        Raises:
            InvalidArgument: The limit is not a whole number, or negative.
            InvalidKey: No id or key can begin with ``prefix``, or ``after`` cannot be one.
        """
        if self.limit is not None:
            check_limit(self.limit)
        beginnings(self.prefix)
        if self.after is not None:
            encode(self.after, what="after")
        return self

    def of_no_execution(self) -> Selection:
        """The selection, checked to be of keys that belong to no execution.

        Raises:
            InvalidArgument: It selects by the key of an execution.
        """
        for what, text in (("prefix", self.prefix), ("after", self.after or "")):
            if text.startswith(EXECUTION_KEY):
                id_ = text[len(EXECUTION_KEY) :].partition(":")[0] or "ID"
                raise InvalidArgument(
                    f"{what}={shown(text)}: a key that begins with {EXECUTION_KEY!r} belongs to an "
                    f"execution, whose keys are listed by its id: pass {shown(id_)} as well"
                )
        return self

    def of_execution(self, execution_id: str) -> Selection:
        """The selection by the part of keys that follows ``exec:{execution_id}:``.

        Raises:
            InvalidArgument: No key of the execution can match it.
        """
        head = execution_key(execution_id, "")
        prefix, after = self.prefix, self.after
        if not (prefix.startswith(head) or head.startswith(prefix)):
            raise _of_another("prefix", prefix, head)
        if after is not None and (after == head or not after.startswith(head)):
            raise _of_another("after", after, head)
        return Selection(
            prefix[len(head) :], None if after is None else after[len(head) :], self.limit
        )


def check_limit(limit: object) -> None:
    """Checks that a number can limit a listing.

    Raises:
        InvalidArgument: It is not a whole number, or negative.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise InvalidArgument(f"limit must be a whole number, 0 or more: {shown(limit)}")


def _of_another(what: str, text: str, head: str) -> InvalidArgument:
    if text == head:
        hint = f"the keys of this execution are longer; leave {what} out to list them all"
    elif text.startswith(EXECUTION_KEY):
        hint = (
            f"it is of another execution; the keys of this one begin with {shown(head)}, and those "
            "of another are listed by its id"
        )
    else:
        hint = (
            f"the keys of this execution begin with {shown(head)}; pass {what}={shown(head + text)}"
        )
    return InvalidArgument(f"{what}={shown(text)}: {hint}")

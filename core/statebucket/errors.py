"""Every error that statebucket raises.

All derive from `StateBucketError`. Five attributes help a caller decide what to do:

* ``outcome``: ``"none"`` (nothing was written) or ``"unknown"`` (the write may have happened, or
  may still happen).
* ``object_name``: the object in the bucket the failed request was about, where there is one.
* ``code``: the service's own code for the failure, if it gave one.
* ``transient``: whether the same call may succeed later. statebucket has already retried such an
  error until the call's deadline when it reaches the caller.
* ``report``: what a copy, a sweep or a removal did before the error ended it.

Messages name the offending value and the rule it breaks. They never hold a credential or a signed
URL; the SDK's own exception is chained as ``__cause__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.contract.reports import DeletionReport, SweepReport
    from statebucket.contract.versions import Stored

Outcome = Literal["none", "unknown"]

MAX_SHOWN = 120
"""The most characters of a caller's value that an error message shows."""

MAX_EXCERPT = 300
"""The most characters that an error message quotes of a service, an SDK or a stored object."""


def shown(value: object) -> str:
    """A caller's value for an error message: its repr, shortened if it is long."""
    if type(value) is str or type(value) is bytes:
        value = value[: MAX_SHOWN + 1]  # the repr of a large one would take as much memory again
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (a huge int, or a class whose repr fails)
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def awaiting(value: object) -> str:
    """A hint for an error message if a value is a call that was not awaited; otherwise empty."""
    if not hasattr(value, "__await__"):
        return ""
    return "; it was not awaited: write await before the call that returns it"


def excerpt(said: object) -> str:
    """Text from a service, an SDK or a stored object, made safe to quote in an error message.

    Args:
        said: A text, the bytes of one, or an exception.

    Returns:
        One line of at most 300 characters (and "…" if it was cut) without control characters.
    """
    if isinstance(said, bytes | bytearray | memoryview):
        said = bytes(said[: 4 * MAX_EXCERPT]).decode(errors="replace")
    text = printable(" ".join(str(said)[: 4 * MAX_EXCERPT].split()))
    return text if len(text) <= MAX_EXCERPT else f"{text[:MAX_EXCERPT]}…"


def printable(text: str) -> str:
    """A text in which characters that terminals and logs act on are escaped.

    These are line breaks, control characters (C0, DEL, C1), bidirectional overrides and other
    invisible ones.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def forget_hidden(error: BaseException | None) -> None:
    """Drops what ``from None`` hides from tracebacks in an error and those that it wraps.

    Such a context may show a credential, and some loggers show it all the same: pyrollbar follows
    ``__context__`` wherever there is no cause.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if error.__suppress_context__:
            error.__context__ = None
        error = error.__cause__ or error.__context__


class StateBucketError(Exception):
    """The base of all errors of statebucket.

    Args:
        message: What is wrong, naming the value and the rule. It is escaped as by `printable`.
        object_name: The object in the bucket, where there is one.
        outcome: Whether a write may have happened.
        retry_after: Seconds that the service asked the client to wait.
        code: The code that the service gave, or the HTTP status where its reply had none; None
            where no service answered.

    Attributes:
        report: What a copy, a sweep or a removal had done before this error ended it; None if it
            had done nothing, for other calls, and where a ``progress`` of yours raised it.
    """

    transient: ClassVar[bool] = False
    report: Any = None

    def __init__(
        self,
        message: str,
        *,
        object_name: str | None = None,
        outcome: Outcome = "none",
        retry_after: float | None = None,
        code: str | None = None,
    ) -> None:
        message = printable(message)
        super().__init__(message)
        self.message = message
        self.object_name = object_name
        self.outcome: Outcome = outcome
        self.retry_after = retry_after
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        # As exceptions do by default, but without calling __init__, whose arguments are not all
        # kept. An error that cannot be unpickled would break the process pool that it comes from.
        return _restored, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        text = self.message
        if self.object_name is not None and self.object_name not in text:
            text += f" (object {self.object_name!r})"
        if self.outcome == "unknown":
            text += " (the write may have happened)"
        return text


def _restored(kind: type[StateBucketError], args: tuple[Any, ...]) -> StateBucketError:
    error = kind.__new__(kind)
    error.args = args
    return error


# Bad input: found before any request is sent.


class InvalidInput(StateBucketError, ValueError):
    """The base of the errors for arguments that break a rule; no request was sent."""


class InvalidKey(InvalidInput):
    """A key or id that cannot name an object: empty, with a lone surrogate, or too long."""


class InvalidTTL(InvalidInput):
    """A time to live that is not a positive `timedelta` or number of seconds."""


class InvalidSnapshot(InvalidInput):
    """A snapshot with a field that JSON cannot represent unchanged."""


class InvalidValue(InvalidInput):
    """A value that is not bytes, or that JSON cannot represent unchanged."""


class InvalidArgument(InvalidInput):
    """An argument or option that is not allowed."""


class InvalidURL(InvalidInput):
    """A store URL that cannot be parsed, or that carries a secret."""


class UnsupportedOperation(InvalidInput):
    """A call that this store, as it was opened, does not offer; the message says why.

    Nothing was written, though `delete_tenant` may have read the bucket's rules to find out.
    """


class TenantMismatch(StateBucketError):
    """A call that would cross from one tenant to another; nothing was written."""


class AmbiguousExecution(StateBucketError):
    """Several tenants have the execution: call it on a tenant's view; nothing was written.

    Attributes:
        execution_id: The execution.
        tenants: Some of those that have it.
    """

    def __init__(
        self,
        message: str,
        *,
        object_name: str | None = None,
        outcome: Outcome = "none",
        execution_id: str = "",
        tenants: Sequence[str] = (),
    ) -> None:
        super().__init__(message, object_name=object_name, outcome=outcome)
        self.execution_id = execution_id
        self.tenants = tuple(tenants)


# Opening a store.


class UnknownScheme(InvalidInput):
    """No adapter is registered for the URL's scheme (or its ``engine``)."""


class AdapterNotInstalled(StateBucketError, ImportError):
    """The adapter or its SDK cannot be loaded; the message of ours has the pip command."""


# What the service answered.


class AccessDenied(StateBucketError):
    """The credentials are known to the service, but lack the right this call needs."""


class InvalidCredentials(AccessDenied):
    """There are no credentials, or the service does not accept them: unknown, wrong, expired."""


class BucketNotFound(StateBucketError):
    """The bucket (container, directory) does not exist. statebucket never creates one."""


class CorruptObject(StateBucketError):
    """A stored object is not what statebucket writes: cut short, altered, or of a later format.

    The object is left as it is.
    """


class InvalidReport(StateBucketError):
    """An inventory report that cannot be read for this store.

    It is of another bucket, of another format, without a column that is needed, or altered; the
    message names the file, and what to configure.
    """


class Throttled(StateBucketError):
    """The service refused the request because of its rate (429, 503 SlowDown)."""

    transient = True


class Unavailable(StateBucketError):
    """The service could not be reached or failed (connection loss, 5xx, a body cut short)."""

    transient = True


class UntrustedCertificate(Unavailable):
    """The TLS certificate is not trusted, or is for another host; nothing was sent.

    It is not retried: the next attempt would get the same certificate.
    """

    transient = False


class DeadlineExceeded(StateBucketError, TimeoutError):
    """The call's deadline passed before an answer came."""

    transient = True


class RequestRejected(StateBucketError):
    """The service refused the request; trying it again will not help.

    It is malformed or not allowed.
    """


class OutOfSpace(RequestRejected):
    """There is no space left to store the object, or any other."""


class DeleteIncomplete(StateBucketError):
    """A clean-up could not remove every object; run it again to continue.

    Attributes:
        failures: The error for each object that is still there, by object name (by key after
            `delete_many`), and for each prefix whose listing failed: the first 100, but all of them
            after `delete_many`.
        failed: How many there are, including those that ``failures`` leaves out.
        report: What was removed.
    """

    def __init__(
        self,
        message: str,
        *,
        failures: Mapping[str, StateBucketError],
        report: DeletionReport,
        failed: int | None = None,
    ) -> None:
        super().__init__(message, outcome="unknown")
        self.failures = failures
        self.failed = len(failures) if failed is None else failed
        self.report = report

    def __str__(self) -> str:
        return self.message  # the report says what has happened


class SweepIncomplete(StateBucketError):
    """A sweep could not finish its work; run it again to continue.

    Attributes:
        failures: The error for each object, by object name, and for each prefix whose listing
            failed: the first 100.
        failed: How many there are, including those that ``failures`` leaves out.
        report: What was done.
    """

    def __init__(
        self,
        message: str,
        *,
        failures: Mapping[str, StateBucketError],
        report: SweepReport,
        failed: int | None = None,
    ) -> None:
        super().__init__(message, outcome="unknown")
        self.failures = failures
        self.failed = len(failures) if failed is None else failed
        self.report = report

    def __str__(self) -> str:
        return self.message  # the report says what has happened


# Lost races.


class VersionConflict(StateBucketError):
    """A conditional write lost: the object is not at the version the condition names.

    ``outcome`` is ``"unknown"`` when a reply was lost and another writer's version is stored now:
    this write may have happened before it.

    Attributes:
        current: With ``want_current=True``, the `Stored` value that won. None if it was not
            requested, if it no longer exists (or has expired), or if it cannot be decoded.
    """

    def __init__(
        self,
        message: str,
        *,
        object_name: str | None = None,
        outcome: Outcome = "none",
        current: Stored[Any] | None = None,
    ) -> None:
        super().__init__(message, object_name=object_name, outcome=outcome)
        self.current = current


class StaleSnapshot(StateBucketError):
    """``only_newer=True`` and a snapshot with a higher ``sequence_number`` is stored."""


class LeaseHeld(StateBucketError):
    """Another holder has the lease."""

    transient = True


class LeaseLost(StateBucketError):
    """The lease was taken over by another holder, or could not be renewed in time."""


class PreconditionFailed(StateBucketError):
    """For adapters: the service refused a conditional request (412 and its relatives).

    The core looks into it, and raises `VersionConflict` if a race was lost: callers of a store
    never see this class.

    Attributes:
        remedy: What may help if the service refuses a condition that is true; empty if the adapter
            knows of nothing.
    """

    remedy = ""

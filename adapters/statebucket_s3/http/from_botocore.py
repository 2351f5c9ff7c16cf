"""Keys from botocore: profiles, SSO, other programs, and the caller's own sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from statebucket.errors import AdapterNotInstalled, Unavailable
from statebucket_s3.codes import refused_keys
from statebucket_s3.http.signing import Credentials
from statebucket_s3.http.usable_keys import no_keys

if TYPE_CHECKING:
    from statebucket.errors import StateBucketError

_FOREVER = float("inf")
_LONGEST = 2**20  # seconds; no temporary key of AWS lasts longer


class BotocoreKeys:
    """The keys of a botocore session; botocore is loaded for them.

    Args:
        session: The caller's session; None for our own.
        what: What needs it, for errors.
    """

    name = "botocore's chain"

    def __init__(self, session: Any, what: str) -> None:  # noqa: ANN401  (botocore need not be there)
        self._session = session
        self._what = what
        self._found: Any = None

    def at_hand(self) -> Credentials | None:
        """None: its keys must always be loaded."""
        return None

    def load(self) -> Credentials:
        """A key; blocks.

        Raises:
            AdapterNotInstalled: botocore is missing.
            InvalidCredentials: There is none.
            Unavailable: Its source cannot be reached.
        """
        try:
            from botocore import exceptions as sdk  # noqa: PLC0415  (120 ms)
            from botocore.session import get_session  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise AdapterNotInstalled(
                f"engine=http leaves {self._what} to botocore: pip install botocore. Keys in the "
                "environment, the roles of functions, containers and instances, and web "
                "identities need nothing"
            ) from error
        failure: StateBucketError | None = None
        cause: Exception | None = None
        try:
            if self._found is None:
                session = get_session() if self._session is None else self._session
                self._found = session.get_credentials()
            frozen = None if self._found is None else self._found.get_frozen_credentials()
        except (sdk.HTTPClientError, sdk.ConnectionError) as error:
            kind = type(error).__name__
            failure = Unavailable(f"the source of the AWS credentials cannot be reached ({kind})")
            cause = error
        except sdk.ClientError as error:
            # Without its cause, whose text may quote a token.
            failure = refused_keys(error.response, error.operation_name)
        except Exception as error:  # noqa: BLE001  (providers are plug-ins: it may be anything)
            failure = no_keys(type(error).__name__)
            # An error of SSO has its reply as the context, whose text may quote a token.
            cause = None if isinstance(error.__context__, sdk.ClientError) else error
        if failure is not None:  # out of the handlers: what is left out would be its context
            raise failure from cause
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise no_keys("NoCredentialsError")
        return Credentials(
            frozen.access_key, frozen.secret_key, frozen.token or None, _ends(self._found)
        )


def _ends(found: Any) -> float:  # noqa: ANN401  (of many kinds)
    """When a key expires, in seconds since the epoch, at most a second too early.

    botocore only says whether it expires within a given time, so it is asked about twenty times.
    """
    needed = getattr(found, "refresh_needed", None)
    if needed is None or not needed(_LONGEST):
        return _FOREVER
    lasts, ended = 0, _LONGEST
    while ended - lasts > 1:
        middle = (lasts + ended) // 2
        if needed(middle):
            ended = middle
        else:
            lasts = middle
    return time.time() + lasts

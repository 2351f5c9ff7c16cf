"""Where tokens come from: the caller's credentials, a file, or the machine's metadata server.

The order is that of Google's application default credentials.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from statebucket.errors import AdapterNotInstalled
from statebucket_gcs.http.metadata import MetadataServer

if TYPE_CHECKING:
    from statebucket.port.findings import Finding
    from statebucket.port.renewal import Token
    from statebucket_gcs.http.google_auth import GoogleAuth

_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_FOLDER = "CLOUDSDK_CONFIG"
_WELL_KNOWN = "application_default_credentials.json"


class Credentials:
    """The source of tokens, found at the first token.

    Args:
        given: The caller's google-auth credentials; None to look for some.
        deadline: Seconds that a call of the store may take.
    """

    def __init__(self, given: Any, deadline: float) -> None:  # noqa: ANN401  (google-auth's)
        self._given = given
        self._deadline = deadline
        self._source: MetadataServer | GoogleAuth | None = None
        self.headers: dict[str, str] = {}

    def token(self) -> Token:
        """A token; blocks.

        Raises:
            AdapterNotInstalled: It needs google-auth, which is missing.
            InvalidCredentials: There is no token, or the identity is refused.
            Unavailable: Its source cannot be reached, or fails.
        """
        if self._source is None:
            self._source = self._found()
        token = self._source.token()
        self.headers = self._source.headers
        return token

    def _found(self) -> MetadataServer | GoogleAuth:
        path = None
        if self._given is None:
            path = os.environ.get(_FILE) or _well_known()
        if self._given is None and path is None:
            return MetadataServer(self._deadline)
        if not _installed():
            which = "the caller's credentials" if path is None else f"the credentials in {path}"
            raise AdapterNotInstalled(
                f"engine=http needs google-auth for {which}: pip install "
                "google-auth (or 'statebucket[gcs]', which brings it). The service account of a "
                "machine or a function needs nothing"
            )
        from statebucket_gcs.http.google_auth import (  # noqa: PLC0415  (80 ms)
            GoogleAuth,
            from_file,
        )

        if self._given is not None:
            return GoogleAuth(self._given, self._deadline)
        return from_file(str(path), self._deadline)

    async def identity(self) -> Finding:
        """The owner of the tokens, once there has been one."""
        from asyncio import to_thread  # noqa: PLC0415  (for the doctor only)

        from statebucket_gcs import identities  # noqa: PLC0415

        source = self._source
        if source is None:
            return identities.unknown("there has been no access token yet")
        if not isinstance(source, MetadataServer):
            return identities.identity_of(source.credentials)
        email = await to_thread(source.email)
        return (
            identities.service_account(email)
            if email
            else identities.unknown("the metadata server does not say whose credentials they are")
        )


def _installed() -> bool:
    try:
        return find_spec("google.auth") is not None
    except ModuleNotFoundError:  # not even google
        return False


def _well_known() -> str | None:
    """The file in which ``gcloud auth application-default login`` leaves credentials."""
    folder = os.environ.get(_FOLDER)
    if folder is None:
        roaming = os.environ.get("APPDATA") if os.name == "nt" else None
        home = os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118  (pathlib costs 5 ms)
        folder = os.path.join(roaming or home, "gcloud")  # noqa: PTH118  (as above)
    path = os.path.join(folder, _WELL_KNOWN)  # noqa: PTH118  (as above)
    return path if os.path.isfile(path) else None  # noqa: PTH113  (as above)

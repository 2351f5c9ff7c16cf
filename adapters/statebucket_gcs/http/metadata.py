"""Tokens of the machine's own service account, from Google's metadata server.

https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable, excerpt
from statebucket.port.bucket import Confidential
from statebucket.port.renewal import Token
from statebucket_gcs.errors import HINT
from statebucket_gcs.options import SCOPE
from statebucket_http.credential_services import CredentialService, decoded, lacking
from statebucket_http.endpoints import endpoint_at
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from statebucket_http.wire import Reply

_QUOTA_PROJECT = "GOOGLE_CLOUD_QUOTA_PROJECT"  # such as for a bucket whose requesters pay
_HOST_VARIABLES = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT")
_ADDRESS = "169.254.169.254"
# There is one in Cloud Run, its functions and worker pools, in App Engine and on Google's machines:
# https://cloud.google.com/run/docs/container-contract
_GOOGLES = ("K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_RUN_WORKER_POOL", "FUNCTION_TARGET", "GAE_ENV")
_PRODUCT = "/sys/class/dmi/id/product_name"
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"
_OK = 200
_TOO_MANY = 429
_SERVER = 500
_TIMEOUT = 408


class _Granted(Confidential, frozen=True):
    access_token: str
    expires_in: float

    def __repr__(self) -> str:
        return "_Granted(…)"


class MetadataServer:
    """The metadata server of this machine. Its calls block.

    Requests use plain HTTP: nothing secret is sent, and replies do not leave the machine's own
    link. The environment's proxies are not used.

    Args:
        deadline: Seconds that a call of the store may take.
    """

    def __init__(self, deadline: float) -> None:
        named = next((os.environ[name] for name in _HOST_VARIABLES if os.environ.get(name)), None)
        self._expected = named is not None or _on_google()
        self._asked = named is not None or os.environ.get("NO_GCE_CHECK", "").lower() != "true"
        self._endpoint = endpoint_at(f"http://{named or _ADDRESS}", _HOST_VARIABLES[0])
        self._service = CredentialService(
            "the metadata server", self._endpoint, deadline, near=True
        )

    @property
    def headers(self) -> dict[str, str]:
        """The headers besides the token: the project to bill, if the environment names one."""
        project = os.environ.get(_QUOTA_PROJECT)
        return {"x-goog-user-project": project} if project else {}

    def token(self) -> Token:
        """A token of the service account of this machine.

        Raises:
            InvalidCredentials: There is no metadata server, or it has no token.
            Unavailable: It cannot be reached now, or fails.
        """
        asked = time.time()
        reply = self._ask(f"{_ACCOUNT}/token", f"scopes={quote(SCOPE, safe='')}")
        granted = decoded(reply, _Granted)
        if granted is None:
            raise Unavailable("no access token: the metadata server's reply is malformed")
        return Token(granted.access_token, asked + granted.expires_in)

    def email(self) -> str:
        """The service account of this machine; empty if that cannot be found out."""
        try:
            reply = self._ask(f"{_ACCOUNT}/email")
        except StateBucketError:
            return ""
        return excerpt(reply.body.decode(errors="replace").strip())

    def _ask(self, path: str, query: str = "") -> Reply:
        if not self._asked:
            raise _none("NO_GCE_CHECK excludes the metadata server")
        request = Request("GET", path, query)
        try:
            reply = self._service.ask(request, {"metadata-flavor": "Google"})
        except Unavailable as error:
            if self._expected:
                raise lacking("no access token", error) from error
            raise _none(error.message) from error
        finally:
            self._service.close()  # the next token is needed most of an hour later
        status = reply.status
        if status in {_TOO_MANY, _TIMEOUT} or status >= _SERVER:
            raise Unavailable(
                f"no access token: the metadata server answered {status}", code=str(status)
            )
        if status != _OK:
            said = excerpt(reply.body.decode(errors="replace")) if _googles(reply) else ""
            raise _none(f"the metadata server answered {status}{said and f': {said}'}", str(status))
        if not _googles(reply):
            raise _none(f"what answers at {self._endpoint.host} is not Google's metadata server")
        return reply


def _googles(reply: Reply) -> bool:
    return reply.headers.get("metadata-flavor") == "Google"


def _none(reason: str, code: str | None = None) -> InvalidCredentials:
    return InvalidCredentials(f"no usable credentials: {reason} ({HINT})", code=code)


def _on_google() -> bool:
    """Whether this is known to be a Google machine, so that its metadata server is only slow."""
    if any(os.environ.get(name) for name in _GOOGLES):
        return True
    with suppress(OSError), open(_PRODUCT, encoding="ascii", errors="replace") as file:  # noqa: PTH123  (pathlib costs 5 ms)
        return file.read(16).startswith("Google")
    return False

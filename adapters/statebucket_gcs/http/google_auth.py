"""Tokens through google-auth: for keys, logins and federation, which need it.

It is loaded only where they are used; its requests go over our transport.
"""

from __future__ import annotations

import time
import warnings
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from google.auth import load_credentials_from_file
from google.auth.credentials import with_scopes_if_required
from google.auth.exceptions import GoogleAuthError, TransportError

from statebucket.errors import InvalidCredentials, StateBucketError
from statebucket.port.endpoint import is_private_link, require_tls
from statebucket.port.renewal import RENEW_BEFORE, Token
from statebucket.port.waiting import step
from statebucket_gcs.auth_errors import auth_failure, cause_of
from statebucket_gcs.errors import HINT
from statebucket_gcs.options import METADATA_HOSTS, SCOPE, ca_bundle
from statebucket_http.endpoints import endpoint_at
from statebucket_http.transport import Transport
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 30.0
_MAX_REPLY = 1024 * 1024
_TRANSIENT = frozenset({408, 429})
_SERVER = 500
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError)  # raised for other JSON


class GoogleAuth:
    """Credentials of google-auth. Their calls block.

    Args:
        credentials: The credentials.
        deadline: Seconds that a call of the store may take.
    """

    def __init__(self, credentials: Any, deadline: float) -> None:  # noqa: ANN401  (of many kinds)
        self.credentials = credentials
        self._request = _Sender(deadline)
        self._given: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers besides the token: the project to bill, if it is another one."""
        project = getattr(self.credentials, "quota_project_id", None)
        return {"x-goog-user-project": str(project)} if project else {}

    def token(self) -> Token:
        """A new token.

        Raises:
            InvalidCredentials: There is no token, or the identity is refused.
            Unavailable: Its source cannot be reached, or fails.
        """
        held = self._held()
        if held is None or held.value == self._given or held.ends - time.time() < RENEW_BEFORE:
            self._refresh()
            held = self._held()
        if held is None:
            raise InvalidCredentials(f"no usable credentials: they have no token ({HINT})")
        self._given = held.value
        return held

    def _refresh(self) -> None:
        try:
            self.credentials.refresh(self._request)
        except GoogleAuthError as error:
            failure, cause = auth_failure(error), cause_of(error)
        except StateBucketError:  # which may be a ValueError, too
            raise
        except _MALFORMED:
            failure, cause = malformed(), None
        else:
            return
        # Outside the handler, so that an error left out as the cause is not its context either.
        raise failure from cause

    def _held(self) -> Token | None:
        """The current token of the credentials."""
        value, expiry = self.credentials.token, getattr(self.credentials, "expiry", None)
        if not value:
            return None
        # In UTC, and without a zone.
        ends = float("inf") if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
        return Token(str(value), ends)


def from_file(path: str, deadline: float) -> GoogleAuth:
    """The credentials in a file: a service account's key, a person's login, or a federation.

    Raises:
        InvalidCredentials: google-auth cannot use it.
    """
    try:
        with warnings.catch_warnings():
            # It warns about files from others; this one comes from the environment.
            warnings.simplefilter("ignore")
            # Without scopes: with them it would look up the project of a federation.
            credentials, _ = load_credentials_from_file(path, request=_Sender(deadline))  # type: ignore[no-untyped-call]
            credentials = with_scopes_if_required(credentials, [SCOPE])  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        failure, cause = auth_failure(error), cause_of(error)
    except (OSError, *_MALFORMED):
        failure, cause = malformed(), None
    else:
        return GoogleAuth(credentials, deadline)
    raise failure from cause


def malformed() -> InvalidCredentials:
    """The error for a file without credentials."""
    return InvalidCredentials(f"no usable credentials: the credentials file is malformed ({HINT})")


class _Response(NamedTuple):
    """A reply in the form that google-auth reads."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Sender:
    """Sends google-auth's requests, each once: the core retries."""

    def __init__(self, deadline: float) -> None:
        self._deadline = min(deadline, _PATIENCE)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: object = None,  # noqa: ARG002  (google-auth's)
        **_: object,
    ) -> _Response:
        """Sends a request; over plain HTTP only if it does not leave this machine's link."""
        parts = urlsplit(url)
        private = is_private_link(parts.hostname or "") or parts.hostname in METADATA_HOSTS
        if not private:
            require_tls(url)
        endpoint = endpoint_at(f"{parts.scheme}://{parts.netloc}", "the token service's URL")
        data = body.encode() if isinstance(body, str) else body or b""
        sent = {name.lower(): str(value) for name, value in (headers or {}).items()}
        transport = Transport(
            "the token service",
            self._deadline,
            ca_bundle(),
            1,
            ca_setting="REQUESTS_CA_BUNDLE",
            max_body=_MAX_REPLY,
            direct=parts.scheme == "http" and private,
        )
        request = Request(method, parts.path or "/", parts.query, {}, data)
        for name in ("content-length", "user-agent"):
            sent.pop(name, None)  # the transport adds its own
        try:
            reply = step(transport.send(endpoint, request, {"host": endpoint.host, **sent}))
        except StateBucketError as error:
            raise TransportError(error.message) from error  # type: ignore[no-untyped-call]
        finally:
            step(transport.close())
        if reply.status in _TRANSIENT or reply.status >= _SERVER:
            raise TransportError(f"the token service answered {reply.status}")  # type: ignore[no-untyped-call]
        return _Response(reply.status, reply.headers, reply.body)

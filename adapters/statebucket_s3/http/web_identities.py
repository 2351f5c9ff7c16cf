"""Keys from STS in exchange for another issuer's token, such as that of a Kubernetes pod.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from msgspec.structs import replace

from statebucket.errors import InvalidArgument, Unavailable, excerpt, shown
from statebucket.port.endpoint import require_tls
from statebucket.port.token_files import token_in
from statebucket_http.credential_services import CredentialService
from statebucket_http.wire import Request
from statebucket_s3.codes import of_code, unverified
from statebucket_s3.http.endpoints import AUTHORITIES, token_service_of
from statebucket_s3.http.key_replies import asked, lasting, made_key, malformed
from statebucket_s3.http.settings import configured_endpoint
from statebucket_s3.http.usable_keys import no_keys
from statebucket_s3.http.xml_documents import parse

if TYPE_CHECKING:
    from statebucket_http.wire import Reply
    from statebucket_s3.http.profiles import Profile
    from statebucket_s3.http.settings import Settings
    from statebucket_s3.http.signing import Credentials

_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
_ROLE = "AWS_ROLE_ARN"
_SESSION = "AWS_ROLE_SESSION_NAME"
_REGIONAL = "AWS_STS_REGIONAL_ENDPOINTS"
_NAME = "STS"
_OK = 200
_FORM = "application/x-www-form-urlencoded"
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
_ELEMENTS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


def token_file_of(profile: Profile) -> str | None:
    """The file with the token, if one is configured: the environment's, else the profile's."""
    return os.environ.get(_FILE, profile.get("web_identity_token_file")) or None


class WebIdentity:
    """The role that a token of another issuer may assume.

    Args:
        profile: The profile in use, whose settings the environment's replace.
        settings: Region and trust.
        patience: Seconds that a caller has.
        insecure: Whether plain HTTP may be used to STS on another machine.

    Raises:
        InvalidArgument: A setting has an invalid value.
        InvalidCredentials: No role is configured.
    """

    name = "a web identity's role"

    def __init__(
        self, profile: Profile, settings: Settings, patience: float, *, insecure: bool
    ) -> None:
        environ = os.environ
        self._file = str(token_file_of(profile))
        self._role = environ.get(_ROLE, profile.get("role_arn"))
        if not self._role:
            raise no_keys(f"{_FILE} requires {_ROLE}")
        self._session = environ.get(_SESSION, profile.get("role_session_name"))
        if self._session is not None and not _SESSION_NAME.fullmatch(self._session):
            raise InvalidArgument(
                f"{_SESSION} must be 2 to 64 letters, digits and _+=,.@- : {shown(self._session)}"
            )
        mode = environ.get(_REGIONAL) or profile.get("sts_regional_endpoints") or "regional"
        if mode not in {"regional", "legacy"}:
            raise InvalidArgument(f"{_REGIONAL} must be regional or legacy: {shown(mode)}")
        own = configured_endpoint(profile, "sts")
        settings = replace(settings, endpoint_url=own)
        endpoint = token_service_of(settings, legacy=mode == "legacy")
        require_tls(f"{endpoint.scheme}://{endpoint.host}", insecure=insecure)
        self._service = CredentialService(
            _NAME,
            endpoint,
            patience,
            near=False,
            ca_bundle=settings.ca_bundle,
            ca_setting="AWS_CA_BUNDLE",
            authorities=AUTHORITIES if own is None else (),
        )

    def load(self) -> Credentials:
        """A key: one request, with the token that the file contains now; blocks.

        Raises:
            InvalidCredentials: There is no token, or STS refuses it or the role.
            Unavailable: STS cannot be reached, or fails.
        """
        reply = self._answer()
        if reply.status != _OK:
            raise _refusal(reply)
        key = _key_in(reply)
        if key is None:
            raise malformed(_NAME)
        return lasting(_NAME, key)

    def _answer(self) -> Reply:
        request = self._request()
        try:
            return asked(self._service, request)
        finally:
            self._service.close()

    def _request(self) -> Request:
        """The request; no frame that an error passes through has its form, which has the token."""
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": str(self._role),
            "RoleSessionName": self._session or f"statebucket-{int(time.time())}",
            "WebIdentityToken": self._token(),
        }
        return Request("POST", "/", "", {"content-type": _FORM}, urlencode(form).encode())

    def _token(self) -> str:
        try:
            return token_in(self._file)
        except (OSError, ValueError) as error:
            raise no_keys(f"{_FILE} cannot be read: {type(error).__name__}") from None


def _key_in(reply: Reply) -> Credentials | None:
    """The key in a reply; None if a part of it is missing. See `made_key`."""
    given = _elements(reply, "AssumeRoleWithWebIdentityResult", "Credentials")
    return made_key(*[given.get(name, "") for name in _ELEMENTS])


def _refusal(reply: Reply) -> Exception:
    """The error for a refusal, with STS's code but without its text, which may quote a token."""
    try:
        said = _elements(reply, "Error")
    except Unavailable:
        said = {}
    code = excerpt(said.get("Code", ""))
    text = f"{_NAME} answered {reply.status}{code and f' {code}'}"
    again = unverified(code, said.get("Message", ""))
    if again or of_code(code, "", reply.status).transient:
        return Unavailable(f"no AWS credentials: {text}", code=code or str(reply.status))
    return no_keys(f"{text} to the token of {_FILE} for {_ROLE}", code or str(reply.status))


def _elements(reply: Reply, *path: str) -> dict[str, str]:
    """The texts below an element of a reply.

    Raises:
        Unavailable: The reply has no such element.
    """
    try:
        _, found = parse(reply.body)
    except ValueError:
        raise malformed(_NAME) from None
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise malformed(_NAME)
    return {name: text for name, text in found.items() if isinstance(text, str)}

"""The replies of services that provide keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import Unavailable, excerpt
from statebucket.port.bucket import Confidential
from statebucket.port.dates import from_iso
from statebucket_http.credential_services import decoded, lacking
from statebucket_s3.http.signing import Credentials
from statebucket_s3.http.usable_keys import no_keys

if TYPE_CHECKING:
    from statebucket.errors import InvalidCredentials
    from statebucket_http.credential_services import CredentialService
    from statebucket_http.wire import Reply, Request

_NONE = "no AWS credentials"
_OK = 200
_TIMEOUT = 408
_TOO_MANY = 429
_SERVER = 500


class _Given(Confidential, frozen=True, rename="pascal"):
    """A key in the form that containers and instances get, or the error in its place."""

    access_key_id: str = ""
    secret_access_key: str = ""
    token: str = ""
    expiration: str = ""
    code: str = "Success"

    def __repr__(self) -> str:
        return f"_Given({self.code!r}, …)"


class _Refused(msgspec.Struct):
    code: str = ""


def asked(service: CredentialService, request: Request) -> Reply:
    """The reply of a service; blocks.

    A logger may show the locals of each frame that an error passes through. So the secrets of a
    request are only in the request object, whose ``repr`` hides them.

    Raises:
        Unavailable: It cannot be reached, or does not answer.
    """
    try:
        return service.ask(request, request.headers)
    except Unavailable as error:
        raise lacking(_NONE, error) from error


def answered(service: str, reply: Reply) -> bool:
    """Whether a service has returned what was requested.

    Raises:
        Unavailable: It failed, and may succeed the next time.
    """
    status = reply.status
    if status in {_TIMEOUT, _TOO_MANY} or status >= _SERVER:
        raise Unavailable(f"{_NONE}: {service} answered {status}", code=str(status))
    return status == _OK


def refused(service: str, reply: Reply, hint: str = "") -> InvalidCredentials:
    """The error for a refusal, with the service's code but without its text."""
    said = decoded(reply, _Refused)
    code = "" if said is None else excerpt(said.code)
    text = f"{service} answered {reply.status}{code and f' {code}'}{hint and f'; {hint}'}"
    return no_keys(text, code or str(reply.status))


def malformed(service: str) -> Unavailable:
    """The error for an invalid reply, without its text, which may contain a part of a key."""
    return Unavailable(f"{_NONE}: {service}'s reply is malformed")


def key_of(service: str, reply: Reply) -> Credentials:
    """The key in a reply.

    Raises:
        InvalidCredentials: The reply says why there is no key.
        Unavailable: The reply is malformed.
    """
    given = decoded(reply, _Given)
    if given is None:
        raise malformed(service)
    if given.code != "Success":
        code = excerpt(given.code)
        raise no_keys(f"{service} says {code}", code)
    key = made_key(given.access_key_id, given.secret_access_key, given.token, given.expiration)
    if key is None:
        raise malformed(service)
    return key


def made_key(key: str, secret: str, token: str, ends: str) -> Credentials | None:
    """A temporary key; None if a part of it is missing, or its expiry is not a date.

    It raises nothing: a logger may show a frame's locals, and these are the parts of the key.
    """
    moment = from_iso(ends)
    if not (key and secret and token and moment):
        return None
    return Credentials(key, secret, token, moment.timestamp())


def lasting(service: str, key: Credentials) -> Credentials:
    """A key that has not expired yet.

    Raises:
        Unavailable: It has.
    """
    if key.ends <= time.time():
        raise Unavailable(
            f"{_NONE}: the key that {service} gives has already expired (is this "
            "machine's clock right?)"
        )
    return key

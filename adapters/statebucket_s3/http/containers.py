"""Keys of a container's role: ECS, EKS Pod Identity, and compatible endpoints on this machine.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

from msgspec.structs import replace

from statebucket.errors import InvalidArgument
from statebucket.port.endpoint import is_loopback
from statebucket.port.token_files import token_in
from statebucket.port.url import without_query
from statebucket_http.credential_services import CredentialService
from statebucket_http.endpoints import endpoint_at, parts_of
from statebucket_http.wire import Request
from statebucket_s3.http.key_replies import answered, asked, key_of, lasting, refused
from statebucket_s3.http.usable_keys import no_keys

if TYPE_CHECKING:
    from statebucket_http.wire import Reply
    from statebucket_s3.http.settings import Settings
    from statebucket_s3.http.signing import Credentials

RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105  (a variable's name)
_TOKEN_FILE = f"{_TOKEN}_FILE"
_ECS = "http://169.254.170.2"
# The agents of ECS and EKS: only this machine answers there.
_HOSTS = frozenset(map(ip_address, ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")))
_NAME = "the container's credentials endpoint"


class ContainerRole:
    """The role of this container, as its environment names it now.

    Args:
        settings: Trust settings.
        patience: Seconds that a caller has.

    Raises:
        InvalidArgument: The environment names an invalid endpoint, or one to which its token would
            go in clear text.
    """

    name = "the container's role"

    def __init__(self, settings: Settings, patience: float) -> None:
        relative = os.environ.get(RELATIVE)
        variable = RELATIVE if relative else FULL
        url = f"{_ECS}{relative}" if relative else os.environ[FULL]
        parts = parts_of(url, variable)
        near = is_loopback(parts.hostname or "") or _of_an_agent(parts.hostname or "")
        if not near and parts.scheme != "https":
            raise InvalidArgument(
                f"{variable} must be https://, or http:// to this machine, 169.254.170.2, "
                f"169.254.170.23 or fd00:ec2::23: {without_query(url)!r}"
            )
        endpoint = endpoint_at(f"{parts.scheme}://{parts.netloc}", variable)
        self._request = Request("GET", parts.path or "/", parts.query)
        self._service = CredentialService(
            _NAME,
            endpoint,
            patience,
            near=near,
            ca_bundle=settings.ca_bundle,
            ca_setting="AWS_CA_BUNDLE",
        )

    def load(self) -> Credentials:
        """A key: one request; blocks.

        Raises:
            InvalidCredentials: There is none.
            Unavailable: The endpoint cannot be reached, or fails.
        """
        reply = self._answer()
        if not answered(_NAME, reply):
            raise refused(_NAME, reply, f"see {RELATIVE}, {FULL} and {_TOKEN}")
        return lasting(_NAME, key_of(_NAME, reply))

    def _answer(self) -> Reply:
        headers = {"accept": "application/json"}
        request = replace(self._request, headers=headers | _authorization())
        try:
            return asked(self._service, request)
        finally:
            self._service.close()


def _of_an_agent(host: str) -> bool:
    try:
        return ip_address(host) in _HOSTS
    except ValueError:
        return False


def _authorization() -> dict[str, str]:
    """The header with the token from the environment or from a file, which is read each time."""
    path = os.environ.get(_TOKEN_FILE)
    if path:
        try:
            return {"authorization": token_in(path)}
        except (OSError, ValueError) as error:
            raise no_keys(f"{_TOKEN_FILE} cannot be read: {type(error).__name__}") from None
    token = os.environ.get(_TOKEN, "")
    if not (token.isascii() and token.isprintable()):
        raise no_keys(f"{_TOKEN} contains a line break or another invalid character")
    return {"authorization": token} if token else {}

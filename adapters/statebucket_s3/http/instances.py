"""Keys of an EC2 instance's role, from the instance metadata service, version 2.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html

Version 1 is not used: it gives keys to anyone who can make the instance send a GET.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from random import SystemRandom
from typing import TYPE_CHECKING

from msgspec.structs import replace

from statebucket.errors import InvalidArgument, Unavailable, shown
from statebucket.port.endpoint import is_private_link
from statebucket.port.url import without_query
from statebucket_http.credential_services import CredentialService, lacking
from statebucket_http.endpoints import endpoint_at, parts_of
from statebucket_http.wire import Request
from statebucket_s3.http.key_replies import answered, asked, key_of, malformed, refused
from statebucket_s3.http.settings import yes
from statebucket_s3.http.usable_keys import no_keys

if TYPE_CHECKING:
    from statebucket_http.wire import Endpoint, Reply
    from statebucket_s3.http.profiles import Profile
    from statebucket_s3.http.signing import Credentials

_DISABLED = "AWS_EC2_METADATA_DISABLED"
_ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
_TIMEOUT = "AWS_METADATA_SERVICE_TIMEOUT"
_IPV4 = "http://169.254.169.254"
_IPV6 = "http://[fd00:ec2::254]"
_TOKEN_PATH = "/latest/api/token"  # noqa: S105
_ROLES = "/latest/meta-data/iam/security-credentials/"
_SECONDS = "21600"  # the longest lifetime of a token
_NAME = "the instance metadata service"
_HOPS = "from within a container the instance's HttpPutResponseHopLimit must be 2 or more"
_NO_KEYS = 404
_UNAUTHORIZED = 401
_EXTENDED = 15 * 60  # seconds for which a key is still used if the service does not renew it
_SPREAD = (2 * 60, 10 * 60)  # and as many more, so that not all of a fleet asks at once
_VENDOR = "/sys/class/dmi/id/sys_vendor"
_HYPERVISOR = "/sys/hypervisor/uuid"


class InstanceRole:
    """The role of this EC2 instance.

    Args:
        profile: The profile in use, whose settings the environment's replace.
        patience: Seconds that a caller has.

    Raises:
        InvalidArgument: A setting has an invalid value.
    """

    name = "the instance's role"

    def __init__(self, profile: Profile, patience: float) -> None:
        endpoint, chosen = _endpoint(profile)
        self._expected = chosen or _on_ec2()
        timeout = 3 * _timeout(profile)  # nothing may move for a third of it
        self._service = CredentialService(_NAME, endpoint, min(patience, timeout), near=True)

    def load(self) -> Credentials:
        """A key: three requests; blocks.

        If the service has not renewed an expired key, the key is used for another quarter of an
        hour or more, as AWS asks of its SDKs: S3 may still accept it while the service fails.

        Raises:
            InvalidCredentials: There is no metadata service, it is disabled, or it gives no key.
            Unavailable: It cannot be reached, or fails.
        """
        if os.environ.get(_DISABLED, "").lower() == "true":
            raise no_keys(f"{_DISABLED} excludes {_NAME}")
        try:
            key = self._load()
        finally:
            self._service.close()
        self._expected = True
        extended = time.time() + _EXTENDED + SystemRandom().uniform(*_SPREAD)
        return key if key.ends > extended else replace(key, ends=extended)

    def _load(self) -> Credentials:
        request = Request("GET", _ROLES, "", self._session())
        roles = asked(self._service, request)
        if not _answered(roles):
            hint = "has the instance a role?" if roles.status == _NO_KEYS else ""
            raise refused(_NAME, roles, hint)
        role = _line(roles.body.partition(b"\n")[0])
        if role is None:
            raise malformed(_NAME)
        if not role:
            raise no_keys("the instance has no role")
        reply = asked(self._service, replace(request, path=f"{_ROLES}{role}"))
        if not _answered(reply):
            raise refused(_NAME, reply)
        return key_of(_NAME, reply)

    def _session(self) -> dict[str, str]:
        """The header with the token for this session of requests."""
        headers = {"x-aws-ec2-metadata-token-ttl-seconds": _SECONDS}
        try:
            reply = self._service.ask(Request("PUT", _TOKEN_PATH), headers)
        except Unavailable as error:
            if error.outcome == "none" and not self._expected:
                raise no_keys(f"no other source is configured, and {error.message}") from error
            hint = _HOPS if error.outcome == "unknown" else ""  # it took the request
            raise lacking("no AWS credentials", error, hint) from error
        if not answered(_NAME, reply):
            raise refused(_NAME, reply, "it must be enabled, and offer version 2 (IMDSv2)")
        if not _line(reply.body):
            raise malformed(_NAME)
        return {"x-aws-ec2-metadata-token": reply.body.decode("ascii").strip()}


def _line(body: bytes) -> str | None:
    """The single word in a body, or an empty string; None if it is anything else."""
    text = body.decode("ascii", "replace").strip()
    return text if text.isprintable() and text.isascii() and " " not in text else None


def _answered(reply: Reply) -> bool:
    """See `answered`; a refused token was another session's: each session gets its own."""
    if reply.status == _UNAUTHORIZED:
        raise Unavailable(f"no AWS credentials: {_NAME} refused its own token", code="401")
    return answered(_NAME, reply)


def _endpoint(profile: Profile) -> tuple[Endpoint, bool]:
    """Where the service is, and whether a setting names it."""
    environ = os.environ
    url = environ.get(_ENDPOINT) or profile.get("ec2_metadata_service_endpoint")
    if url:
        parts = parts_of(url, _ENDPOINT)
        if not is_private_link(parts.hostname or "") and parts.scheme != "https":
            raise InvalidArgument(
                f"{_ENDPOINT} must be https://, or http:// to this machine or its own link: "
                f"{without_query(url)!r}"
            )
        return endpoint_at(url, _ENDPOINT), True
    mode = environ.get(_MODE) or profile.get("ec2_metadata_service_endpoint_mode")
    if mode is None:
        six = yes(environ.get("AWS_IMDS_USE_IPV6") or profile.get("imds_use_ipv6"))
        mode = "ipv6" if six else "ipv4"
    if mode.lower() not in {"ipv4", "ipv6"}:
        raise InvalidArgument(f"{_MODE} must be IPv4 or IPv6: {shown(mode)}")
    return endpoint_at(_IPV6 if mode.lower() == "ipv6" else _IPV4, _MODE), False


def _timeout(profile: Profile) -> float:
    text = os.environ.get(_TIMEOUT) or profile.get("metadata_service_timeout") or "1"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidArgument(f"{_TIMEOUT} must be a number of seconds above 0: {shown(text)}")
    return seconds


def _on_ec2() -> bool:
    """Whether this is known to be an instance, so that its metadata service is only slow."""
    for path, start in ((_VENDOR, "amazon ec2"), (_HYPERVISOR, "ec2")):
        with suppress(OSError), open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123  (pathlib costs 5 ms)
            if file.read(16).lower().startswith(start):
                return True
    return False

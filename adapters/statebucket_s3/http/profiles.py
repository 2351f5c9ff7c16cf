"""The profile in use, from AWS's two configuration files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONFIG = "AWS_CONFIG_FILE", "~/.aws/config"
_SHARED = "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"
_READ = frozenset(
    {
        "ca_bundle",
        "ec2_metadata_service_endpoint",
        "ec2_metadata_service_endpoint_mode",
        "endpoint_url",
        "ignore_configured_endpoint_urls",
        "imds_use_ipv6",
        "metadata_service_timeout",
        "region",
        "role_arn",
        "role_session_name",
        "s3",
        "s3_us_east_1_regional_endpoint",
        "services",
        "sts_regional_endpoints",
        "use_dualstack_endpoint",
        "use_fips_endpoint",
        "web_identity_token_file",
    }
)


class Profile:
    """The profile in use: its settings from both files, the one with the keys first.

    Raises:
        InvalidArgument: A file cannot be read as one of AWS's.

    Attributes:
        name: Its name.
        missing: Whether the environment names it but neither file contains it.
        settings: The names of all its settings; no secret is kept.
    """

    def __init__(self) -> None:
        environ = os.environ
        given = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
        self.name = name = given or "default"
        self._sections = parsed(path_of(*_CONFIG))
        shared = parsed(path_of(*_SHARED))
        config = self._sections.get(f"profile {name}")
        if config is None and name == "default":
            config = self._sections.get(name)
        self.missing = given is not None and config is None and name not in shared
        found = {**(config or {}), **shared.get(name, {})}
        self.settings = frozenset(found)
        self._values = {key: value for key, value in found.items() if key in _READ}

    def get(self, name: str) -> str | None:
        """A setting; None if it is not set or not read here."""
        return self._values.get(name)

    def nested(self, name: str, inner: str) -> str | None:
        """A setting indented below another of the profile's."""
        return _indented(self._values.get(name), inner)

    def service(self, service: str, name: str) -> str | None:
        """A setting of one service: ``name = …``, indented below ``service =``."""
        section = self._sections.get(f"services {self._values.get('services')}", {})
        return _indented(section.get(service), name)


def _indented(text: str | None, name: str) -> str | None:
    for line in (text or "").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == name:
            return value.strip()
    return None


def path_of(variable: str, usual: str) -> str:
    """The path of a file: from the environment, else the usual one."""
    return os.environ.get(variable) or usual


def parsed(name: str) -> Mapping[str, Mapping[str, str]]:
    """The sections of a file; none if it does not exist or cannot be reached, as in the SDK.

    In a container the user may have no home, or someone else's.

    Raises:
        InvalidArgument: It is not a file of sections.
    """
    try:
        # Without pathlib, since importing it adds 3 ms to a cold start.
        with open(os.path.expanduser(name), encoding="utf-8") as file:  # noqa: PTH111, PTH123
            text = file.read()
    except OSError:  # also where the user has no home
        return {}
    except UnicodeDecodeError:
        found = None
    else:
        found = _sections(text) if text else {}
    if found is None:  # outside the handlers, whose errors show lines and so secrets
        raise InvalidArgument(f"AWS's configuration file {name!r} cannot be read")
    return found


def _sections(text: str) -> Mapping[str, Mapping[str, str]] | None:
    """The sections in a text; None if it is not a valid file of AWS's."""
    from configparser import Error, RawConfigParser  # noqa: PLC0415  (only where there is a file)

    parser = RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(text)
    except Error:
        return None
    return {section.replace('"', ""): dict(parser.items(section)) for section in parser.sections()}

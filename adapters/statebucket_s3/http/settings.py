"""Region, endpoint and trust, from options, the environment and AWS's configuration file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from statebucket.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket_s3.options import BucketOptions

_SETTINGS = frozenset(
    {
        "ca_bundle",
        "endpoint_url",
        "ignore_configured_endpoint_urls",
        "region",
        "services",
        "use_dualstack_endpoint",
        "use_fips_endpoint",
    }
)


class Settings(NamedTuple):
    """How to reach AWS, as far as it is configured."""

    region: str | None
    endpoint_url: str | None
    fips: bool
    dualstack: bool
    ca_bundle: str | None


def read_settings(options: BucketOptions) -> Settings:
    """Reads the settings in the order in which the SDK does: options, environment, file.

    Raises:
        InvalidArgument: The configuration file cannot be read.
    """
    environ = os.environ
    profile = _Profile()
    setting = profile.get
    return Settings(
        region=(
            options.region
            or environ.get("AWS_DEFAULT_REGION")
            or setting("region")
            or environ.get("AWS_REGION")
        ),
        endpoint_url=options.endpoint_url or _endpoint(profile),
        fips=_yes(environ.get("AWS_USE_FIPS_ENDPOINT") or setting("use_fips_endpoint")),
        dualstack=_yes(
            environ.get("AWS_USE_DUALSTACK_ENDPOINT") or setting("use_dualstack_endpoint")
        ),
        ca_bundle=(
            environ.get("AWS_CA_BUNDLE")
            or setting("ca_bundle")
            or environ.get("REQUESTS_CA_BUNDLE")
        ),
    )


def _endpoint(profile: _Profile) -> str | None:
    ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    if _yes(ignored or profile.get("ignore_configured_endpoint_urls")):
        return None
    return (
        os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
        or profile.service("s3", "endpoint_url")
        or profile.get("endpoint_url")
    )


def _yes(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"


class _Profile:
    """The profile in use, of ``~/.aws/config`` and, before it, ``~/.aws/credentials``."""

    def __init__(self) -> None:
        environ = os.environ
        name = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
        self._sections = _parsed(environ.get("AWS_CONFIG_FILE") or "~/.aws/config")
        secrets = _parsed(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
        self._values = {
            **(self._sections.get(f"profile {name}") or self._sections.get(name) or {}),
            **{key: value for key, value in secrets.get(name, {}).items() if key in _SETTINGS},
        }

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def service(self, service: str, name: str) -> str | None:
        """A setting of one service: ``name = …``, indented below ``service =``."""
        section = self._sections.get(f"services {self._values.get('services')}", {})
        for line in section.get(service, "").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == name:
                return value.strip()
        return None


def _parsed(name: str) -> Mapping[str, Mapping[str, str]]:
    """The sections of a file; none where it does not exist or is out of reach, as for the SDK.

    In a container the user may have no home, or that of another.
    """
    try:
        # Without pathlib, which takes 3 ms of a cold start to import.
        with open(os.path.expanduser(name), encoding="utf-8") as file:  # noqa: PTH111, PTH123
            text = file.read()
    except OSError:  # also where the user has no home
        return {}
    except UnicodeDecodeError:
        raise _unreadable(name) from None
    if not text:
        return {}
    from configparser import Error, RawConfigParser  # noqa: PLC0415  (only where there is a file)

    parser = RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(text)
    except Error:
        raise _unreadable(name) from None
    return {section.replace('"', ""): dict(parser.items(section)) for section in parser.sections()}


def _unreadable(name: str) -> InvalidArgument:
    """The error for a file that is none of AWS's; its cause would show lines, and so secrets."""
    return InvalidArgument(f"AWS's configuration file {name!r} cannot be read")

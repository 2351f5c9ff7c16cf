"""Region, endpoint and trust, from options, the environment and AWS's configuration file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from statebucket.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket.s3.options import BucketOptions


class Settings(NamedTuple):
    """How AWS is to be reached, as far as something says so."""

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
    said = profile.get
    return Settings(
        region=(
            options.region
            or environ.get("AWS_DEFAULT_REGION")
            or said("region")
            or environ.get("AWS_REGION")
        ),
        endpoint_url=options.endpoint_url or _endpoint(profile),
        fips=_yes(environ.get("AWS_USE_FIPS_ENDPOINT") or said("use_fips_endpoint")),
        dualstack=_yes(environ.get("AWS_USE_DUALSTACK_ENDPOINT") or said("use_dualstack_endpoint")),
        ca_bundle=(
            environ.get("AWS_CA_BUNDLE") or said("ca_bundle") or environ.get("REQUESTS_CA_BUNDLE")
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
    """The profile in use, of ``~/.aws/config``; where there is no such file, an empty one."""

    def __init__(self) -> None:
        environ = os.environ
        path = Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
        self._sections: Mapping[str, Mapping[str, str]] = {}
        if path.is_file():
            self._sections = _parsed(path)
        name = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
        self._values = self._sections.get(f"profile {name}") or self._sections.get(name) or {}

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


def _parsed(path: Path) -> Mapping[str, Mapping[str, str]]:
    from configparser import Error, RawConfigParser  # noqa: PLC0415  (only where there is a file)

    parser = RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (Error, OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"AWS's configuration file {str(path)!r} cannot be read") from error
    return {section.replace('"', ""): dict(parser.items(section)) for section in parser.sections()}

"""ETags as versions."""

from __future__ import annotations

import re
from typing import Any

from azure.core import MatchConditions

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed
from statebucket_azure.sdk.errors import malformed

_ETAG = re.compile(r'"[!#-~]+"')


def version_of(etag: str | None, *, writes: bool = False) -> Version:
    """The version that an ETag is: in quotes, which replies have and listings have not.

    Raises:
        Unavailable: There is none, so that it was not the service that answered.
    """
    if not etag:
        raise malformed(writes=writes)
    return Version('"{}"'.format(etag.strip('"')))


def matching(version: Version | None) -> dict[str, Any]:
    """The SDK's arguments for a request on one version only.

    Raises:
        PreconditionFailed: The version is no ETag, so that no blob is at it.
    """
    if version is None:
        return {}
    if not _ETAG.fullmatch(version.token):
        raise PreconditionFailed(f"{version.token!r} is not a valid Azure ETag")
    return {"etag": version.token, "match_condition": MatchConditions.IfNotModified}

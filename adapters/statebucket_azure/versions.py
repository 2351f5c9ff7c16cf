"""ETags as versions."""

from __future__ import annotations

import re

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed, shown
from statebucket_azure.codes import malformed

_ETAG = r'"[!#-~]+"'


def version_of(etag: str | None, *, writes: bool = False) -> Version:
    """The version of an ETag: in quotes, which replies have and listings do not.

    Raises:
        Unavailable: There is none, so the reply is not from the service.
    """
    if not etag:
        raise malformed(writes=writes)
    return Version(etag if etag[0] == '"' else f'"{etag}"')


def if_match(version: Version) -> str:
    """The value of ``If-Match`` for a request on one version only.

    Raises:
        PreconditionFailed: The version is not an ETag, so no blob has it.
    """
    if not re.fullmatch(_ETAG, version.token):
        raise PreconditionFailed(f"{shown(version.token)} is not a valid Azure ETag")
    return version.token

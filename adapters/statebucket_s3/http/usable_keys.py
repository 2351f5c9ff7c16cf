"""Checks that keys can sign requests and be sent, and the error if there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import InvalidCredentials

if TYPE_CHECKING:
    from statebucket_s3.http.signing import Credentials


def no_keys(reason: str, code: str | None = None) -> InvalidCredentials:
    """The error for sources that have no key."""
    return InvalidCredentials(
        f"no usable AWS credentials ({reason}): set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the function a role",
        code=code,
    )


def sendable(credentials: Credentials, source: str) -> Credentials:
    """The credentials, if requests can be signed and sent with them.

    Raises:
        InvalidCredentials: One has a character that no header can have; the message hides it.
    """
    if not _sendable(credentials):
        raise InvalidCredentials(
            f"the AWS credentials of {source} contain a line break or another invalid character"
        )
    return credentials


def _sendable(credentials: Credentials) -> bool:
    try:
        credentials.secret_access_key.encode()
    except UnicodeEncodeError:
        return False
    sent = credentials.access_key_id + (credentials.session_token or "")
    return sent.isascii() and sent.isprintable()

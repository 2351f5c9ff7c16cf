"""Translates google-auth's errors to those of statebucket."""

from __future__ import annotations

from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

from statebucket.errors import InvalidCredentials, StateBucketError, Unavailable, excerpt
from statebucket_gcs.errors import HINT


def auth_failure(error: GoogleAuthError) -> StateBucketError:
    """The error for a token that could not be obtained; nothing was sent to the service."""
    text = text_of(error)
    if isinstance(error, TransportError) or (isinstance(error, RefreshError) and error.retryable):
        return Unavailable(f"no access token: {text}")
    return InvalidCredentials(f"no usable credentials: {text} ({HINT})")


def cause_of(error: GoogleAuthError) -> GoogleAuthError | None:
    """The error as the cause of ours, if its text contains no secret.

    A `RefreshError` contains the token service's whole response.
    """
    return None if error.args[1:] else error


def text_of(error: BaseException) -> str:
    """What happened, for a message."""
    # A RefreshError's other arguments contain the token service's whole response.
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return f"{type(error).__name__}: {excerpt(text)}"

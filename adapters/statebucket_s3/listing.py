"""Whether a page of a listing is the one that was requested."""

from __future__ import annotations

from statebucket.errors import Unavailable


def check_prefix(requested: str, echo: str | None) -> None:
    """Refuses a page that names a prefix other than the one requested.

    A cache or gateway that replies with another listing's page could make objects seem absent. Some
    services' pages name no prefix; those are accepted.

    Args:
        requested: The prefix of the request.
        echo: The prefix that the page names, decoded; None if it names none.

    Raises:
        Unavailable: It names another.
    """
    if echo and echo != requested:
        raise Unavailable("S3 answered with a listing of another prefix than the one requested")


def following(token: str | None, after: str | None, *, truncated: bool) -> str | None:
    """The token that requests the next page; None after the last.

    Args:
        token: The page's token for the next.
        after: The token that requested this page.
        truncated: Whether the page reports that more follows.

    Raises:
        Unavailable: More follows, but the page does not say where, or names its own beginning: the
            rest would count as absent, or the listing would never end.
    """
    if truncated and (not token or token == after):
        raise Unavailable("S3 reported more results but returned no new continuation token")
    return token or None

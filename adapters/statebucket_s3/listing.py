"""Whether a page of a listing answers what was asked."""

from __future__ import annotations

from statebucket.errors import Unavailable


def check_prefix(asked: str, echo: str | None) -> None:
    """Refuses a page that names another prefix than the one asked for.

    A cache or gateway that answers with another listing's page could make objects seem absent. A
    page that names no prefix, as some services' do, is held against nothing.

    Args:
        asked: The prefix of the request.
        echo: The prefix that the page names, decoded; None where it names none.

    Raises:
        Unavailable: It names another.
    """
    if echo and echo != asked:
        raise Unavailable("S3 answered with a listing of another prefix than the one asked for")


def following(token: str | None, after: str | None, *, truncated: bool) -> str | None:
    """What the next page is asked for with; None after the last.

    Args:
        token: The page's token for the next.
        after: The token that the page was asked for with.
        truncated: Whether the page says that more follows.

    Raises:
        Unavailable: More follows, but the page does not say from where, or says from where it
            began itself: what follows would count as absent, or the listing never end.
    """
    if truncated and (not token or token == after):
        raise Unavailable("S3's listing says that more follows, but not from where")
    return token or None

"""Checks each page of a listing against the request.

A faulty gateway or cache may drop the prefix or the token of a request. If its answer were trusted,
it would show one tenant's names to another, and a removal would delete them.
"""

from __future__ import annotations

from itertools import islice, pairwise
from operator import lt
from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import Unavailable, shown
from statebucket.port.bucket import Page, PrefixPage

if TYPE_CHECKING:
    from collections.abc import Sequence

AnyPage = TypeVar("AnyPage", Page, PrefixPage)


class PageCheck:
    """Checks that the pages of one listing answer its requests.

    Args:
        operation: The public call, for errors.
        prefix: What the names must begin with.
        ordered: Whether the service lists in order of the names' bytes, or folder by folder.
    """

    def __init__(self, operation: str, prefix: str, *, ordered: bool) -> None:
        self._operation = operation
        self._prefix = prefix
        self._ordered = ordered
        self._by_folder = False  # "a/" before "a-b/", as in services that keep names in folders
        self._tokens: set[str] = set()
        self._last = ""

    def page(self, page: AnyPage) -> AnyPage:
        """Returns a page after checking that it answers the request.

        Raises:
            Unavailable: It does not. Nothing on it may be used.
        """
        if page.following is not None and page.following in self._tokens:
            raise Unavailable(f"{self._operation}: the service returned the same page token twice")
        if isinstance(page, Page):
            self._names([info.name for info in page.objects])
        else:
            self._prefixes(page.prefixes)
        return page

    def taken(self, page: AnyPage) -> None:
        """Remembers a page, for the check of the next."""
        before = self._last
        if isinstance(page, Page):
            self._last = page.objects[-1].name if page.objects else before
        elif page.prefixes:
            self._last = page.prefixes[-1]
        if self._ordered and self._last != before:
            # A token from before would lead to names that are out of order. So memory does not grow
            # with the listing.
            self._tokens.clear()
        if page.following is not None:
            self._tokens.add(page.following)

    def _names(self, names: Sequence[str]) -> None:
        if not names or (self._ordered and self._are_next(names)):
            return
        for name in names:
            if not name.startswith(self._prefix):
                raise self._outside(name)
        if not self._ordered:
            broken = next((pair for pair in pairwise(sorted(names)) if pair[0] == pair[1]), None)
        else:
            following = [self._last, *names] if self._last else names
            broken = _first_out_of_order(following, by_folder=self._by_folder)
            if broken is not None and not self._by_folder:
                self._by_folder = _first_out_of_order(following, by_folder=True) is None
                broken = None if self._by_folder else broken
        if broken is not None:
            raise self._disordered(broken[1], broken[0])

    def _are_next(self, names: Sequence[str]) -> bool:
        """Whether names come in order, behind those before, all below the prefix.

        What lies between two names that begin alike begins so, too.
        """
        first, last = names[0], names[-1]
        prefix = self._prefix
        if not (first > self._last and first.startswith(prefix) and last.startswith(prefix)):
            return False
        return not self._by_folder and all(map(lt, names, islice(names, 1, None)))

    def _prefixes(self, prefixes: list[str]) -> None:
        start = len(self._prefix)
        for found in prefixes:
            # One level below: its only slash after the prefix is its last character.
            if not found.startswith(self._prefix) or found.find("/", start) != len(found) - 1:
                raise self._outside(found)
        # A service may repeat the last prefix of a page at the start of the next.
        repeated = bool(prefixes) and prefixes[0] == self._last
        self._names(prefixes[1:] if repeated else prefixes)

    def _outside(self, name: str) -> Unavailable:
        return Unavailable(
            f"{self._operation}: the service listed {shown(name)}, which is not below the "
            f"requested prefix {shown(self._prefix)}; nothing of the page was used"
        )

    def _disordered(self, name: str, last: str) -> Unavailable:
        return Unavailable(
            f"{self._operation}: the service listed {shown(name)} after {shown(last)}, out of "
            "order or twice; nothing of the page was used"
        )


def _first_out_of_order(names: Sequence[str], *, by_folder: bool) -> tuple[str, str] | None:
    """The first two adjacent names that are not in order."""
    keys = [name.replace("/", "\0") for name in names] if by_folder else names
    for at, (before, after) in enumerate(pairwise(keys)):
        if after <= before:
            return names[at], names[at + 1]
    return None

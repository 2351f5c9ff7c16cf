"""Estimates how many names lie below a folder, and where, from some pages of them.

Names are treated as numbers: each character at which they differ is a digit, whose value is its
rank among the characters that may occur at that position. Which may occur is learnt from the names
seen: if two digits were seen, any digit may occur. Between two names of a page lie a known number
of objects and a known distance of such numbers; that density gives an estimate of how many objects
lie in the stretch after the page. If a stretch seems to hold many, a page from its middle divides
it in two.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from statebucket.store.objects import PAGE
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.store.context import StoreContext

OPERATION = "partitions"

_END = "\x7f"
"""Sorts after every character with which a name may continue."""

_DIGITS = "0123456789"
_RESOLUTION = 1e-15
_FINE = 16  # how precisely the middle of a stretch is found
_EVERY = 8  # the characters of every eighth name of a page are recorded
_ROUNDS = 12
_AT_ONCE = 16
_SMALL = 1.5 * PAGE  # another page would add little
_MAX_BRANCHES = 64
_SIGNS = frozenset("-_.~/")


class Sampled(NamedTuple):
    """Some adjacent names, and how many objects they represent."""

    names: list[str]
    weight: float


class _Stretch(NamedTuple):
    """A range of names.

    Attributes:
        names: Its first names.
        end: Its last name, or a text after it.
        complete: Whether ``names`` are all of them.
    """

    names: list[str]
    end: str
    complete: bool


class Sampler:
    """The names below one folder.

    Args:
        context: The store's.
        folder: What they begin with.
    """

    def __init__(self, context: StoreContext, folder: str) -> None:
        self._context = context
        self._folder = folder
        self._shared = 0  # the length of the prefix that all names share
        self._seen: dict[int, set[str]] = {}
        self._may_stand: dict[int, list[str]] = {}
        self._stretches: list[_Stretch] = []

    async def begin(self) -> None:
        """Looks at the first names: 1 request, or 2 where there are more than 1,000."""
        names, complete = await self._listed("")
        if not complete:
            more, complete = await self._listed(names[-1])
            names += more
        self._stretches = [_Stretch(names, _END, complete)] if names else []

    @property
    def complete(self) -> bool:
        """Whether all names are known."""
        return all(one.complete for one in self._stretches)

    @property
    def weight(self) -> float:
        """How many names there are, by the current estimate."""
        return sum(map(self._weight, self._stretches))

    def samples(self) -> list[Sampled]:
        """The samples so far, in order."""
        return [Sampled(one.names, self._weight(one)) for one in self._stretches]

    async def branch(self) -> None:
        """Finds the first characters at which names differ: 1 request for each character.

        About 5 more requests find the position.
        """
        first = self._stretches[0]
        self._learn(first.names)
        low, high = 0, _alike(first.names[0], first.names[-1])
        while low < high:  # find the longest prefix that all names share
            middle = (low + high + 1) // 2
            names, _ = await self._page(first.names[-1][:middle] + _END, limit=1)
            low, high = (low, middle - 1) if names else (middle, high)
        self._shared = low
        self._stretches = []
        names, complete = first.names, first.complete
        while names:
            for start, branch in groupby(names, lambda name: name[: low + 1]):
                self._stretches.append(_Stretch(list(branch), start + _END, complete=True))
            if complete:
                return
            last = self._stretches[-1]
            self._stretches[-1] = last._replace(complete=False)
            if len(self._stretches) > _MAX_BRANCHES:
                self._stretches[-1] = last._replace(end=_END, complete=False)
                return
            names, complete = await self._page(last.end)

    def larger(self, bound: float) -> list[tuple[float, _Stretch]]:
        """The stretches that weigh more than a limit and can be divided, with their weights."""
        weighed = [(self._weight(one), one) for one in self._stretches if not one.complete]
        return [
            (weight, one)
            for weight, one in weighed
            if weight > bound and self._middle(one) is not None
        ]

    async def divide(self, stretch: _Stretch) -> None:
        """Reads a page from the middle of a stretch: 1 request."""
        middle = self._middle(stretch)
        if middle is None:
            return
        names, complete = await self._page(middle)
        within = [name for name in names if name <= stretch.end]
        complete = complete or len(within) < len(names)
        # Other stretches may have been divided meanwhile.
        at = self._stretches.index(stretch)
        parts = [stretch._replace(end=middle)]
        if within:
            parts.append(_Stretch(within, stretch.end, complete))
        self._stretches[at : at + 1] = parts

    async def _page(self, after: str, limit: int = PAGE) -> tuple[list[str], bool]:
        """Some names after another, and whether they are the last: 1 request."""
        names, complete = await self._listed(after, limit)
        self._learn(names)
        return names, complete

    async def _listed(self, after: str, limit: int = PAGE) -> tuple[list[str], bool]:
        start = None if not after else self._folder + after
        names: list[str] = []
        pages = self._context.objects.all_pages(
            OPERATION, self._folder, self._context.deadline, limit, start
        )
        complete = True
        async for page in pages:
            if names:
                complete = False
                break
            names = [info.name[len(self._folder) :] for info in page]
            if len(names) >= limit:
                complete = False
                break
        return names, complete

    # Names as numbers.

    def _learn(self, names: list[str]) -> None:
        for name in [*names[::_EVERY], *names[-1:]]:
            for at, char in enumerate(name):
                self._seen.setdefault(at, set()).add(char)
        self._may_stand = {}

    def _weight(self, stretch: _Stretch) -> float:
        count = len(stretch.names)
        first, last, end = map(self._value, (stretch.names[0], stretch.names[-1], stretch.end))
        if stretch.complete or last <= first:
            return count
        return max(count, count * (end - first) / (last - first))

    def _characters(self, at: int) -> Sequence[str]:
        """The characters that may occur at a position of a name, in order."""
        if at not in self._may_stand:
            self._may_stand[at] = self._chosen(at)
        return self._may_stand[at]

    def _chosen(self, at: int) -> list[str]:
        seen = self._seen.get(at, set())
        if seen and seen <= _SIGNS:
            return _closed(seen)
        varying = [chars for place, chars in self._seen.items() if place >= self._shared]
        return _closed(seen.union(*(chars for chars in varying if len(chars) > 1)) - _SIGNS)

    def _value(self, name: str) -> float:
        value, scale = 0.0, 1.0
        for at in range(self._shared, len(name)):
            characters = self._characters(at)
            if not characters:
                break
            rank = bisect_left(characters, name[at])
            scale /= len(characters)
            value += rank * scale
            if scale < _RESOLUTION or rank == len(characters) or characters[rank] != name[at]:
                break
        return value

    def _middle(self, stretch: _Stretch) -> str | None:
        """A name halfway between the last name seen in a stretch and its end."""
        last = stretch.names[-1]
        low, high = self._value(last), self._value(stretch.end)
        target = (low + high) / 2
        name, scale = last[: self._shared], 1.0
        for at in range(self._shared, len(last)):
            characters = self._characters(at)
            if not characters:
                break
            scale /= len(characters)
            rank = min(len(characters) - 1, math.floor(target / scale))
            target -= rank * scale
            name += characters[rank]
            if scale < (high - low) / _FINE:
                break
        return name if last < name < stretch.end else None


def _alike(first: str, second: str) -> int:
    """The length of the prefix that two names share."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(first))


def _closed(seen: set[str]) -> list[str]:
    """The characters that may occur where some were seen: if one digit was, all digits may."""
    found = set(seen)
    digits = found.intersection(_DIGITS)
    if len(digits) > 1:
        found.update(_DIGITS)
    for lower, upper in (("a", "z"), ("A", "Z")):
        letters = [char for char in seen if lower <= char <= upper]
        if len(letters) > 1:
            found.update(map(chr, range(ord(min(letters)), ord(max(letters)) + 1)))
    return sorted(found)


async def refine(samplers: list[Sampler], parts: int) -> None:
    """Divides stretches until none holds more than the given share of the whole.

    Up to 16 requests at a time, and about 2 for each part in all.
    """
    for _ in range(_ROUNDS + math.ceil(2 * parts / _AT_ONCE)):
        bound = max(_SMALL, sum(one.weight for one in samplers) / parts)
        due = [
            (weight, stretch, sampler)
            for sampler in samplers
            for weight, stretch in sampler.larger(bound)
        ]
        if not due:
            return
        due.sort(key=lambda one: -one[0])
        await in_order(_divide, due[:_AT_ONCE])


async def _divide(due: tuple[float, _Stretch, Sampler]) -> None:
    _, stretch, sampler = due
    await sampler.divide(stretch)

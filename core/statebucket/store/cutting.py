"""Where to divide a store, so that the parts hold about the same number of objects.

No service counts the objects between two names. So names are sampled, a page at a time, where most
objects seem to be, and each page represents the objects around it; see
`statebucket.store.sampling`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from statebucket.contract.partition import MAX_PARTITIONS, Position
from statebucket.contract.segments import decode, encode
from statebucket.errors import InvalidArgument, shown
from statebucket.store.extent import FOLDERS, OWNERS, SHARED, TENANTS
from statebucket.store.sampling import OPERATION, Sampled, Sampler, refine
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.store.context import StoreContext

MAX_SCOPES = 1000
"""The most tenants that are looked at one by one."""

_FINENESS = 8
"""How many samples there are to a part, at least."""


class _Scope(NamedTuple):
    """A tenant, the objects that belong to no tenant, or the owner records."""

    area: int
    tenant: str
    prefix: str


class _Weighted(NamedTuple):
    position: Position
    weight: float


def check_number(n: object) -> None:
    """Checks that a store can be divided into ``n`` parts.

    Raises:
        InvalidArgument: It cannot.
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_PARTITIONS:
        raise InvalidArgument(
            f"the number of partitions must be an int from 1 to {MAX_PARTITIONS:,}: {shown(n)}"
        )


async def cut(context: StoreContext, n: int, tenant_id: str | None) -> list[Position]:
    """The positions at which to divide a store, or a tenant, into ``n`` parts; fewer if need be."""
    if n == 1 or not context.objects.bucket.limits.lists_in_order:
        return []
    scopes, share = await _scopes(context, tenant_id)
    samplers: dict[tuple[_Scope, str], Sampler] = {}

    async def look(scope: _Scope) -> list[tuple[str, Sampler]]:
        whole = Sampler(context, scope.prefix)
        await whole.begin()
        if whole.complete or scope.area == OWNERS:
            return [("", whole)]
        names = FOLDERS if scope.area == TENANTS else FOLDERS[:2]
        folders = [(f"{name}/", Sampler(context, f"{scope.prefix}{name}/")) for name in names]
        for _, folder in folders:
            await folder.begin()
        return folders

    for scope, found in zip(scopes, await in_order(look, scopes), strict=True):
        samplers.update({(scope, folder): sampler for folder, sampler in found})
    large = [one for one in samplers.values() if not one.complete]
    await in_order(Sampler.branch, large)
    await refine(list(samplers.values()), parts=n * _FINENESS)
    total = sum(one.weight for one in samplers.values())
    step = total / (n * _FINENESS)
    weighted = [
        _Weighted(place, weight * (share if scope.area == TENANTS else 1))
        for (scope, folder), sampler in samplers.items()
        for sample in sampler.samples()
        for place, weight in _spread(scope, folder, sample, step)
    ]
    return _quantiles(sorted(weighted), n)


async def _scopes(context: StoreContext, tenant_id: str | None) -> tuple[list[_Scope], float]:
    """The scopes to sample, each with the number of tenants that it represents."""
    layout = context.layout
    if tenant_id is not None:
        segment = encode(tenant_id, what="tenant id")
        return [_Scope(TENANTS, segment, layout.tenant(tenant_id))], 1
    scopes: list[_Scope] = []
    stride = seen = 0
    found = context.objects.prefixes(OPERATION, layout.tenants, context.deadline)
    async for prefix in found:
        if layout.tenant_of(prefix) is None:
            continue
        if seen % (1 << stride) == 0:
            scopes.append(_Scope(TENANTS, prefix[len(layout.tenants) : -1], prefix))
        seen += 1
        if len(scopes) > MAX_SCOPES:
            scopes, stride = scopes[::2], stride + 1
    share = seen / len(scopes) if scopes else 1
    if layout.owner_index:
        scopes += [_Scope(SHARED, "", layout.shared), _Scope(OWNERS, "", layout.owners)]
    return scopes, share


def _spread(scope: _Scope, folder: str, sample: Sampled, step: float) -> list[_Weighted]:
    """A sample's weight as positions, none of which weighs much more than a step."""
    number = max(1, min(len(sample.names), math.ceil(sample.weight / step))) if step else 1
    at = [sample.names[len(sample.names) * i // number] for i in range(number)]
    places = [place for name in at if (place := _position(scope, folder + name)) is not None]
    return [_Weighted(place, sample.weight / len(places)) for place in places]


def _position(scope: _Scope, name: str) -> Position | None:
    """The position of an object, given its name without its scope's prefix."""
    segments = name.split("/")
    if scope.area != OWNERS:
        if segments[0] not in FOLDERS:
            return None
        segments = segments[1:]
    if not segments or decode(segments[0]) is None:
        return None
    return Position(scope.area, scope.tenant, segments[0])


def _quantiles(weighted: Sequence[_Weighted], n: int) -> list[Position]:
    """Where each of ``n`` parts of equal weight ends, except the last."""
    total = sum(one.weight for one in weighted)
    found: list[Position] = []
    passed = 0.0
    for at, one in enumerate(weighted):
        passed += one.weight
        more = at + 1 < len(weighted) and weighted[at + 1].position != one.position
        if more and len(found) < n - 1 and passed >= total * (len(found) + 1) / n:
            found.append(one.position)
    return found

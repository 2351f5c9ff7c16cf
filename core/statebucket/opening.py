"""From a URL to an open store: finds the adapter, reads the options, builds the store."""

from __future__ import annotations

import importlib
import math
import os
import time
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from statebucket.contract.durations import DAY, duration
from statebucket.errors import (
    AdapterNotInstalled,
    InvalidArgument,
    InvalidTTL,
    InvalidURL,
    UnknownScheme,
    shown,
)
from statebucket.port.bucket import Location, OpenedBucket
from statebucket.port.url import StoreOptions, StoreURL, read_options
from statebucket.store.context import StoreContext
from statebucket.store.layout import Layout
from statebucket.store.objects import Objects
from statebucket.store.origin import Origin
from statebucket.store.store import ObjectStateStore

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY_POINTS = "statebucket.adapters"
"""The entry-point group in which a distribution registers a scheme: its name is the scheme (or
``scheme+engine``), its object a callable from a `Location` to an `OpenedBucket`."""

BUILT_IN = {
    "memory": "statebucket_local:open_memory",
    "sqlite": "statebucket_local:open_sqlite",
    "s3": "statebucket_s3:open_bucket",
    "s3+http": "statebucket_s3:open_bucket_over_http",
    "gs": "statebucket_gcs:open_bucket",
    "gs+http": "statebucket_gcs:open_bucket_over_http",
    "az": "statebucket_azure:open_bucket",
    "az+http": "statebucket_azure:open_bucket_over_http",
}
"""The entry points of this distribution, so that a cold start need not read the metadata of every
installed one (20 ms where `importlib.metadata` is not loaded yet). A test compares them with those
that pyproject.toml declares."""

_EXTRAS = {
    "s3": "s3",
    "s3+http": "http",
    "gs": "gcs",
    "gs+http": "http",
    "az": "azure",
    "az+http": "http",
}
"""The extra that installs what each of these entry points needs."""

_SDK = "sdk"
_ENGINE_VARIABLE = "STATEBUCKET_ENGINE"
_URL_VARIABLE = "STATEBUCKET_URL"


def open_store(
    url: str | None = None,
    *,
    deadline: timedelta | float | None = None,
    owner_index: bool | None = None,
    engine: str | None = None,
    tenant: str | None = None,
    max_in_flight: int | None = None,
    finished_ttl: timedelta | float | None = None,
    retention: timedelta | float | None = None,
    clock: Callable[[], float | datetime] | None = None,
    **options: Any,  # noqa: ANN401  (each adapter has its own)
) -> ObjectStateStore:
    """Opens a state store. No request is sent before the first call of the store.

    The store is an async context manager; it also works without ``async with``, and then
    ``await store.shutdown()`` closes it.

    Args:
        url: ``memory://``, ``sqlite:///relative.db``, ``sqlite:////absolute.db``,
            ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix?account=NAME``;
            by default the environment variable ``STATEBUCKET_URL``. A keyword here wins over the
            URL's parameter of the same name.
        deadline: The longest time that a call may take, retries included, a `timedelta` or seconds,
            at most a day; 10 seconds by default.
        owner_index: False for a bucket whose tenants are kept apart by IAM: only tenant views,
            and nothing outside ``tenants/`` is touched.
        engine: The implementation of the scheme to use, if several are registered; by default the
            one that the environment variable ``STATEBUCKET_ENGINE`` names, if the scheme has it, or
            else ``sdk``.
        tenant: Opens this tenant's view, like ``store.tenant(…)``.
        max_in_flight: The most requests at one time from one event loop; 32 by default.
        finished_ttl: The TTL of snapshots in a terminal state that are saved without one, a
            `timedelta` or seconds.
        retention: The TTL of everything that is written without one, snapshots and keys, a
            `timedelta` or seconds; forever by default. It counts from each write or update.
            ``finished_ttl`` takes precedence for finished snapshots. Make it longer than your
            longest job: otherwise what a job writes at its start expires before its end.
        clock: A function that returns the time, for tests: in seconds since the epoch, or as a
            `datetime` with a time zone; `time.time` by default.
        options: The adapter's own options: your SDK session or client (never closed by
            statebucket), server-side encryption, ``ttl_tags``; see the adapter.

    Raises:
        InvalidURL: The URL cannot be parsed, or carries a secret.
        InvalidKey: ``tenant`` cannot name a tenant.
        InvalidArgument: An option is unknown or not allowed.
        InvalidTTL: ``finished_ttl`` or ``retention`` is not a positive duration.
        UnknownScheme: No adapter is registered for the scheme and engine.
        AdapterNotInstalled: The adapter's SDK is missing; the message has the pip command.
    """
    read = _from_environment() if url is None else StoreURL(url)
    given = {
        "deadline": deadline,
        "owner_index": owner_index,
        "engine": engine,
        "tenant": tenant,
        "max_in_flight": max_in_flight,
        "retention": retention,
    }
    text = {name: read.parameters.pop(name) for name in given if name in read.parameters}
    # A keyword is checked as it is: only in a URL is a number text.
    if deadline is not None:
        given["deadline"] = _deadline(deadline).total_seconds()
    if retention is not None:
        given["retention"] = _ttl("retention", retention).total_seconds()
    if finished_ttl is not None:
        _ttl("finished_ttl", finished_ttl)
    words = {name: value for name, value in given.items() if value is not None}
    core = read_options(text | words, StoreOptions, keywords=words.keys())
    _deadline(core.deadline)
    if core.retention is not None:
        _ttl("retention", core.retention)
    location = Location(
        scheme=read.scheme,
        host=read.host,
        path=read.path,
        options=read.parameters | options,
        deadline=core.deadline,
        max_in_flight=core.max_in_flight,
        keywords=frozenset(options),
    )
    adapter = _adapter_of(read.scheme, core.engine)
    store = ObjectStateStore(_context(location, adapter, core, finished_ttl, clock))
    return store if core.tenant is None else store.tenant(core.tenant)


def _context(
    location: Location,
    adapter: str,
    core: StoreOptions,
    finished_ttl: timedelta | float | None,
    clock: Callable[[], float | datetime] | None,
) -> StoreContext:
    """What a store is made of that was opened just now, or is unpickled."""
    seconds = time.time if clock is None else _seconds_of(clock)
    opened = _open(location, adapter)
    here = location if opened.bucket.requires_network else None
    origin = Origin(
        _context,
        opened.bucket.name,
        opened.elsewhere or here,
        (adapter, core, finished_ttl, clock),
        {name: location.options[name] for name in location.keywords} | {"clock": clock},
    )
    return StoreContext.of(
        Objects(opened.bucket, seconds, core.max_in_flight, location.host),
        Layout(opened.prefix, owner_index=core.owner_index),
        deadline=core.deadline,
        finished_ttl=finished_ttl,
        retention=core.retention,
        origin=origin,
    )


def _from_environment() -> StoreURL:
    url = os.environ.get(_URL_VARIABLE)
    if not url:
        raise InvalidURL(f"no store URL: pass one to open_store or set {_URL_VARIABLE}")
    try:
        return StoreURL(url)
    except InvalidURL as error:
        raise InvalidURL(f"{_URL_VARIABLE}: {error.message}") from None


def _deadline(value: timedelta | float) -> timedelta:
    return duration(value, "the option 'deadline'", longest=DAY)


def _ttl(name: str, value: timedelta | float) -> timedelta:
    return duration(value, f"the option {name!r}", error=InvalidTTL)


def _seconds_of(clock: Callable[[], float | datetime]) -> Callable[[], float]:
    """Adapts a caller's clock to return seconds since the epoch."""
    now = clock() if callable(clock) else None
    if isinstance(now, datetime) and now.tzinfo is not None:
        return lambda: clock().timestamp()  # type: ignore[union-attr]  # checked just now
    if isinstance(now, bool) or not isinstance(now, int | float) or not math.isfinite(now):
        got = f"returned {shown(now)}" if callable(clock) else "is not callable"
        raise InvalidArgument(
            "clock must return seconds since the epoch or a timezone-aware datetime; "
            f"{shown(clock)} {got}"
        )
    return clock  # type: ignore[return-value]  # checked just now


def schemes() -> list[str]:
    """The schemes of store URLs, of this and all installed distributions."""
    return sorted({name.partition("+")[0] for name in _names()})


def _names() -> set[str]:
    """The names of all adapters: a scheme, or a scheme and an engine."""
    return {*BUILT_IN, *(point.name for point in _entry_points())}


def _adapter_of(scheme: str, engine: str | None) -> str:
    """The name of an adapter for a scheme and engine.

    Args:
        scheme: The URL's scheme.
        engine: The engine that the caller chose; None leaves it to the environment.

    Raises:
        UnknownScheme: The environment names an engine that no adapter has.
    """
    if engine is not None:
        return _with(scheme, engine)
    named = os.environ.get(_ENGINE_VARIABLE) or _SDK
    name = _with(scheme, named)
    if named == _SDK or name in BUILT_IN:
        return name
    names = _names()
    if name in names:
        return name
    engines = {_SDK, *(one.partition("+")[2] for one in names if "+" in one)}
    if named not in engines:
        raise UnknownScheme(
            f"{_ENGINE_VARIABLE} names the engine {shown(named)}, which no adapter has; available: "
            f"{', '.join(sorted(engines))}"
        )
    return scheme


def _with(scheme: str, engine: str) -> str:
    return scheme if engine == _SDK else f"{scheme}+{engine}"


def _open(location: Location, name: str) -> OpenedBucket:
    """Loads an adapter and has it open the bucket."""
    try:
        return _opened(location, name)
    except AdapterNotInstalled as error:
        other = f"{name}+http"
        if other not in BUILT_IN:
            raise
        raise AdapterNotInstalled(
            f"{error.message}; or use engine=http (in the URL or {_ENGINE_VARIABLE}), which needs "
            "no SDK"
        ) from error


def _unknown(name: str) -> UnknownScheme:
    """The error for a name that no adapter has."""
    scheme, _, engine = name.partition("+")
    names = sorted(_names())
    engines = [one.partition("+")[2] for one in names if one.startswith(f"{scheme}+")]
    if scheme in names and engines:
        return UnknownScheme(
            f"no adapter is registered for {shown(f'{scheme} with engine={engine}')}; engines of "
            f"{scheme}: {', '.join(engines)} or {_SDK}, the default"
        )
    wanted, *known = (one.replace("+", " with engine=") for one in (name, *names))
    return UnknownScheme(
        f"no adapter is registered for {shown(wanted)}; available: {', '.join(known)}"
    )


def _opened(location: Location, name: str) -> OpenedBucket:
    target = BUILT_IN.get(name)
    load: Callable[[], Callable[[Location], OpenedBucket]]
    if target is not None:
        load = partial(_imported, target)
    else:
        point = next((one for one in _entry_points() if one.name == name), None)
        if point is None:
            raise _unknown(name)
        target, load = point.value, point.load
    remedy = f": pip install 'statebucket[{_EXTRAS[name]}]'" if name in _EXTRAS else ""
    try:
        opener = load()
    except ImportError as error:
        raise _not_installed(name, target, error, remedy) from error
    except AttributeError as error:
        raise AdapterNotInstalled(
            f"the adapter for {name!r} ({target}) cannot be loaded: {error}"
        ) from error
    try:
        return opener(location)
    except AdapterNotInstalled:
        raise
    except ImportError as error:  # adapters load their SDK here
        raise _not_installed(name, target, error, remedy) from error


def _not_installed(name: str, target: str, error: ImportError, remedy: str) -> AdapterNotInstalled:
    adapter = f"the adapter for {name!r} ({target})"
    if isinstance(error, ModuleNotFoundError):
        return AdapterNotInstalled(
            f"{adapter} needs the module {error.name!r}, which is not installed{remedy}"
        )
    return AdapterNotInstalled(f"{adapter} cannot be loaded ({error}){remedy}")


def _imported(target: str) -> Any:  # noqa: ANN401  (an adapter's function)
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _entry_points() -> Any:  # noqa: ANN401  (its type would import the module)
    from importlib.metadata import entry_points  # noqa: PLC0415  (20 ms, rarely needed)

    return entry_points(group=ENTRY_POINTS)

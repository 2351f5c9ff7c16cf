"""The session manager: Strands' snapshots of agents, one invocation at a time."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from strands.hooks import (
    AfterInvocationEvent,
    AfterMultiAgentInvocationEvent,
    BeforeInvocationEvent,
    BeforeModelCallEvent,
    BeforeMultiAgentInvocationEvent,
    BeforeNodeCallEvent,
    BeforeToolCallEvent,
)
from strands.session import SnapshotSessionManager

from statebucket.given import asynchronous_store, duration
from statebucket_strands import leases
from statebucket_strands.session_storage import SessionStorage

if TYPE_CHECKING:
    from strands import Agent
    from strands.hooks import HookRegistry
    from strands.types.agent import LocalAgent

    from statebucket import StateStore

_FIRST, _LAST = -math.inf, math.inf
_LONGEST = timedelta(days=1)  # of a lease


class StatebucketSessionManager(SnapshotSessionManager):
    """Sessions in S3, Cloud Storage, Azure Blob or an SQLite file, one invocation at a time.

    It is Strands' ``SnapshotSessionManager`` over a `StatebucketStorage`, with the same objects,
    and in addition:

    * An invocation of an agent, a graph or a swarm holds a lease on the session, across processes:
      a second one waits, or gets `statebucket.errors.LeaseHeld`.
    * An agent that has taken the lease first loads what another one has saved meanwhile.
    * A save only replaces what this manager last loaded or saved. A worker that was paused for
      longer than its lease gets `LeaseLost` at its next step, or `VersionConflict` when it saves,
      and overwrites nothing.

    It may be made at import time and used from any event loop, for ``agent(…)`` and ``await
    agent.invoke_async(…)`` alike; the store is never closed here.

    Args:
        session_id: The session. The lease is on the execution with this id, in the same tenant.
        store: A store of `statebucket.open_store`, or a tenant's view of one; without a view, the
            tenant is "strands".
        ttl: How long the session can be loaded after a save, a `timedelta` or seconds; by default
            the store's ``retention``, else forever.
        lease_ttl: How long after the last renewal another process may take the lease over, at most
            a day. Make it longer than the longest pause that you expect of a process.
        wait: How long an invocation waits for another, a `timedelta` or seconds; not at all by
            default.
        options: Those of ``SnapshotSessionManager``, such as ``save_latest_on`` and
            ``snapshot_trigger``.

    Raises:
        InvalidArgument: The store is a URL or of another kind, or a duration is not positive.
        ValueError: Strands does not accept the session's id.
    """

    def __init__(
        self,
        session_id: str,
        store: StateStore,
        *,
        ttl: timedelta | float | None = None,
        lease_ttl: timedelta | float = timedelta(seconds=60),
        wait: timedelta | float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        given = asynchronous_store(store, type(self).__name__)
        self._lease_ttl = duration(lease_ttl, "lease_ttl", longest=_LONGEST)
        self._wait = None if wait is None else duration(wait, "wait")
        self._session = SessionStorage(
            given, ttl=ttl, session_id=session_id, check=self._check, failed=self._failed
        )
        self._loaded: dict[str, ReferenceType[LocalAgent]] = {}  # which last loaded or saved
        self._shares: WeakKeyDictionary[object, list[leases.Share]] = WeakKeyDictionary()
        super().__init__(session_id, storage=self._session, **options)

    def register_hooks(self, registry: HookRegistry, **kwargs: Any) -> None:  # noqa: ANN401
        """Adds the lease's callbacks around those of ``SnapshotSessionManager`` and all others."""
        super().register_hooks(registry, **kwargs)
        registry.add_callback(BeforeInvocationEvent, self._enter_agent, order=_FIRST)
        registry.add_callback(BeforeInvocationEvent, self._entered_agent, order=_LAST)
        registry.add_callback(BeforeModelCallEvent, self._step, order=_FIRST)
        registry.add_callback(BeforeToolCallEvent, self._step, order=_FIRST)
        registry.add_callback(AfterInvocationEvent, self._leaving_agent, order=_FIRST)
        registry.add_callback(AfterInvocationEvent, self._leave_agent, order=_LAST)
        registry.add_callback(BeforeMultiAgentInvocationEvent, self._enter_many, order=_FIRST)
        registry.add_callback(BeforeMultiAgentInvocationEvent, self._entered_many, order=_LAST)
        registry.add_callback(BeforeNodeCallEvent, self._step, order=_FIRST)
        registry.add_callback(AfterMultiAgentInvocationEvent, self._leaving_many, order=_FIRST)
        registry.add_callback(AfterMultiAgentInvocationEvent, self._leave_many, order=_LAST)

    def initialize(self, agent: LocalAgent, **kwargs: Any) -> None:  # noqa: ANN401
        """Loads the session into an agent, if there is one: 1 request."""
        super().initialize(agent, **kwargs)
        self._loaded[agent.agent_id] = ref(agent)

    async def _enter_agent(self, event: BeforeInvocationEvent) -> None:
        await self._enter(event.agent)
        try:
            await self._load_news(event.agent)
        except BaseException:
            await self._leave(event.agent)
            raise

    def _entered_agent(self, event: BeforeInvocationEvent) -> None:
        if not event.cancel:  # after a cancelled one, later hooks may not be called
            self._shares[event.agent][-1].settle()

    def _leaving_agent(self, event: AfterInvocationEvent) -> None:
        self._leaving(event.agent)

    async def _leave_agent(self, event: AfterInvocationEvent) -> None:
        await self._leave(event.agent)

    async def _enter_many(self, event: BeforeMultiAgentInvocationEvent) -> None:
        await self._enter(event.source)

    def _entered_many(self, event: BeforeMultiAgentInvocationEvent) -> None:
        self._shares[event.source][-1].settle()

    def _leaving_many(self, event: AfterMultiAgentInvocationEvent) -> None:
        self._leaving(event.source)

    async def _leave_many(self, event: AfterMultiAgentInvocationEvent) -> None:
        await self._leave(event.source)

    async def _enter(self, invoked: object) -> None:
        session = self._session.store.execution(self.session_id)
        taking = session.lease(ttl=self._lease_ttl, wait=self._wait)
        share = await leases.share(self, taking, self._lease_ttl)
        share.expect()
        live = [one for one in self._shares.get(invoked, ()) if one.hold.live]
        self._shares[invoked] = [*live, share]

    def _leaving(self, invoked: object) -> None:
        for share in self._shares.get(invoked, ())[-1:]:
            share.expect()

    async def _leave(self, invoked: object) -> None:
        shares = self._shares.get(invoked)
        if shares:
            await shares.pop().end()

    async def _load_news(self, agent: Agent) -> None:
        """Loads what others have saved since this agent loaded or saved last: 1 request."""
        last = self._loaded.get(agent.agent_id)
        if last is not None and last() is agent:
            with self._session.only_news():
                restored = await self.restore_snapshot(agent)
        else:  # another agent of this manager has continued the session
            restored = await self.restore_snapshot(agent)
        self._loaded[agent.agent_id] = ref(agent)
        if restored and agent.model.stateful:
            agent.messages = []  # as for a new agent: such a model keeps the messages itself

    def _step(self, event: object) -> None:  # noqa: ARG002  (a callback's form)
        self._check()

    def _check(self) -> None:
        """Raises if the current invocation's lease is lost."""
        held = leases.current(self)
        if held is not None:
            held.lease.check()

    async def _failed(self) -> None:
        """Gives the lease up if the last save of an invocation failed: no more hooks are called."""
        held = leases.current(self)
        if held is not None:
            await held.end_expected()

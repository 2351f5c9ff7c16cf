"""Workers that call a store at the same time, and record what they see.

What they do is drawn from a seed; how their calls meet is the machine's. A history is of one
object: the snapshot of an execution, or a key of it.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from consistency.checker import ABSENT, ALWAYS, Operation
from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, Version, errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Barrier

    from statebucket import StateStore
    from statebucket.contract.versions import Stored

Action = Literal["load", "save", "create", "replace", "replace stale", "delete", "clean", "sweep"]

WORKERS = 3
STEPS = 4
EXPIRED = timedelta(milliseconds=1)
_ACTIONS: dict[Action, int] = {
    "load": 4,
    "save": 2,
    "create": 4,
    "replace": 5,
    "replace stale": 1,
    "delete": 2,
    "clean": 1,
    "sweep": 1,
}


class Sent(NamedTuple):
    """What of a call was seen on the wire.

    Attributes:
        times: How many requests it sent to write or delete.
        answered: When the last of them was answered, in nanoseconds; None if it was not.
    """

    times: int = 1
    answered: float | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What is done in one history.

    Attributes:
        number: Its number, from which tenant and execution have their names.
        keys: Whether the object is a key; else it is a snapshot.
        before: What is there at the start.
        steps: For each worker, the actions and the pauses before them, up to 1.
    """

    number: int
    keys: bool
    before: Literal["nothing", "expired", "live"]
    steps: list[list[tuple[Action, float]]]

    @property
    def tenant(self) -> TenantId:
        """The tenant of this history alone."""
        return TenantId(f"t{self.number}")

    @property
    def execution(self) -> ExecutionId:
        """The execution of this history alone."""
        return ExecutionId(f"e{self.number}")


def programs(seed: int, count: int) -> list[Program]:
    """Draw what is to be done.

    Args:
        seed: The same gives the same.
        count: How many histories.
    """
    chance = random.Random(seed)
    return [
        Program(
            number,
            keys=bool(number % 2),
            before=chance.choice(("nothing", "expired", "live")),
            steps=[
                [
                    (
                        chance.choices(list(_ACTIONS), list(_ACTIONS.values()))[0],
                        chance.random(),
                    )
                    for _ in range(STEPS)
                ]
                for _ in range(WORKERS)
            ],
        )
        for number in range(count)
    ]


class Register:
    """The object of one history, in whose values the tokens are.

    Args:
        store: A store.
        program: The history's program.
    """

    def __init__(self, store: StateStore, program: Program) -> None:
        self.view = store.tenant(program.tenant)
        self.program = program
        self.key = f"exec:{program.execution}:k"

    async def load(self) -> tuple[int, Version | None]:
        """Read the token and the version; `ABSENT` where there is nothing."""
        found: Stored[bytes] | Stored[ExecutionSnapshot] | None
        if self.program.keys:
            found = await self.view.get_stored(self.key)
        else:
            found = await self.view.load_stored(self.program.execution)
        if found is None:
            return ABSENT, None
        if isinstance(found.value, bytes):
            return int(found.value), found.version
        return found.value.sequence_number, found.version

    async def save(
        self, token: int, condition: Version | None = None, ttl: timedelta | None = None
    ) -> Version:
        """Write a token."""
        if self.program.keys:
            value = str(token).encode()
            return await self.view.set(self.key, value, ttl, if_version=condition)
        snapshot = ExecutionSnapshot(
            execution_id=self.program.execution,
            tenant_id=self.program.tenant,
            state=ExecutionState.RUNNING,
            sequence_number=token,
        )
        return await self.view.save_snapshot(snapshot, if_version=condition, ttl=ttl)

    async def delete(self) -> None:
        """Delete the object."""
        if self.program.keys:
            await self.view.delete(self.key)
        else:
            await self.view.delete_snapshot(self.program.execution)


class Worker:
    """One caller, with a store of its own.

    Args:
        number: Which of the workers it is.
        store: Its store.
        sent: Says what was seen on the wire since it was last asked; None if each request is
            sent once.
        late: Whether a request may arrive after its call has ended, by way of another try.
        pause: The longest pause before a step, in seconds.
    """

    def __init__(
        self,
        number: int,
        store: StateStore,
        sent: Callable[[], Sent] | None = None,
        *,
        late: bool = False,
        pause: float = 0.004,
    ) -> None:
        self.number = number
        self._store = store
        self._sent = sent
        self._late = late
        self._pause = pause

    async def run(self, todo: list[Program], barrier: Barrier) -> list[list[Operation]]:
        """Take part in histories, each begun by all workers together.

        Args:
            todo: The programs.
            barrier: Where the workers meet before each.

        Returns:
            What this worker saw in each.
        """
        found = []
        try:
            for program in todo:
                register = Register(self._store, program)
                barrier.wait()
                found.append(await self._take_part(register, program))
        except BaseException:
            barrier.abort()  # the others would wait for this one
            raise
        return found

    async def _take_part(self, register: Register, program: Program) -> list[Operation]:
        history: list[Operation] = []
        known: list[tuple[int, Version]] = []
        for step, (action, pause) in enumerate(program.steps[self.number]):
            await asyncio.sleep(pause * self._pause)
            token = 1 + len(program.steps) * step + self.number
            if self._sent is not None:
                self._sent()
            history += await self._step(register, action, token, known)
        return history

    async def _step(
        self, register: Register, action: Action, token: int, known: list[tuple[int, Version]]
    ) -> list[Operation]:
        """Do one thing, and give what may have come of it."""
        condition, version = ALWAYS, None
        if action.startswith("replace") and not known:
            action = "load"  # it knows of nothing to replace
        if action == "create":
            condition, version = ABSENT, Version.ABSENT
        elif action.startswith("replace"):
            condition, version = known[0 if action == "replace stale" else -1]
        began = time.monotonic_ns()
        refused, outcome, shown = False, "done", None
        try:
            if action == "load":
                token, shown = await register.load()
            else:
                shown = await _act(register, action, token, version)
        except errors.VersionConflict as error:
            refused, outcome = True, error.outcome
        except errors.StateBucketError as error:
            outcome = error.outcome
            if outcome == "none" or action == "load":
                return []
        if shown is not None:
            known.append((token, shown))
        if action == "sweep":
            return []  # it has no effect that anyone sees, or it is wrong
        operation = Operation(
            worker=self.number,
            kind="read" if action == "load" else _KINDS.get(action, "write"),
            began=began,
            ended=time.monotonic_ns(),
            token=ABSENT if action in _KINDS else token,
            condition=condition,
            refused=refused,
            version=None if shown is None else str(shown),
        )
        if action == "load" or (refused and outcome == "none"):
            return [operation]
        sent = Sent() if self._sent is None else self._sent()
        if outcome == "unknown":
            return [
                *operation.forgotten().again(max(1, sent.times)),
                *(_lost(operation, sent) if refused else ()),
            ]
        tries = operation.forgotten() if self._late else operation
        return [operation, *tries.again(sent.times - 1)]


async def _act(
    register: Register, action: Action, token: int, version: Version | None
) -> Version | None:
    """Write or remove, and give the version that was written."""
    if action == "sweep":
        await register.view.sweep(margin=timedelta(0))
    elif action == "delete":
        await register.delete()
    elif action == "clean":
        await register.view.delete_execution_state(register.program.execution)
    else:
        return await register.save(token, version)
    return None


def _lost(conflict: Operation, sent: Sent) -> list[Operation]:
    """What a conflict says even where its own write may have come before: another is there now."""
    if sent.answered is None:
        return []
    return [
        replace(conflict, ended=sent.answered),
        replace(conflict, kind="miss", refused=False, began=sent.answered + 1),
    ]


_KINDS: dict[Action, Literal["write", "delete"]] = {"delete": "delete", "clean": "delete"}
BEFORE = 1000
"""The token of what is there at the start."""


async def prepare(store: StateStore, todo: list[Program]) -> None:
    """Store what is there at the start of each history."""
    for program in todo:
        if program.before != "nothing":
            ttl = EXPIRED if program.before == "expired" else None
            await Register(store, program).save(BEFORE, ttl=ttl)
    await asyncio.sleep(2 * EXPIRED.total_seconds())


async def finish(store: StateStore, program: Program) -> Operation:
    """Read, after all that happened, what is there at the end of a history."""
    began = time.monotonic_ns()
    token, version = await Register(store, program).load()
    return Operation(
        worker=WORKERS,
        kind="read",
        began=began,
        ended=time.monotonic_ns(),
        token=token,
        version=None if version is None else str(version),
    )

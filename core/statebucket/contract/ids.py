"""The identifiers of the domain: plain strings that a type checker keeps apart."""

from typing import NewType

ExecutionId = NewType("ExecutionId", str)
"""Names one execution. Not empty. In the text form of a key, ``exec:{id}:{key}``, a ``:`` ends the
id: the keys of an id that contains one are reached through ``store.execution(id)`` only.
"""

TenantId = NewType("TenantId", str)
"""Names one tenant. Not empty."""

UserId = NewType("UserId", str)
"""Names the user on whose behalf an execution runs."""

StepId = NewType("StepId", str)
"""Names one step of an execution."""

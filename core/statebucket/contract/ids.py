"""The identifiers of the domain: plain strings that a type checker keeps apart."""

from typing import NewType

ExecutionId = NewType("ExecutionId", str)
"""Names one execution. Not empty. A ``:`` ends the id in the text form of a key,
``exec:{id}:{key}``: an id that holds one is reached by ``store.execution(id)`` and by its snapshot.
"""

TenantId = NewType("TenantId", str)
"""Names one tenant. Not empty."""

UserId = NewType("UserId", str)
"""Names the user on whose behalf an execution runs."""

StepId = NewType("StepId", str)
"""Names one step of an execution."""

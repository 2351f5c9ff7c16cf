"""The identifiers of the domain: plain strings that a type checker keeps apart."""

from typing import NewType

ExecutionId = NewType("ExecutionId", str)
"""Names one execution. Not empty; holds no ``:``, which ends the id in ``exec:{id}:{key}``."""

TenantId = NewType("TenantId", str)
"""Names one tenant. Not empty."""

UserId = NewType("UserId", str)
"""Names the user on whose behalf an execution runs."""

StepId = NewType("StepId", str)
"""Names one step of an execution."""

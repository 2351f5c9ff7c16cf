"""A small evaluator of IAM policies, as AWS documents them, for the modules' documents.

No local server evaluates conditions and policy variables as AWS does. This one covers Allow and
Deny, Action and Resource with wildcards, the principal ``*``, the variables ``${key}``, ``${*}``,
``${?}`` and ``${$}``, and the condition operators below. It raises on anything else that a document
may hold, so that nothing is passed over.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Context = Mapping[str, str | tuple[str, ...]]

_STATEMENT = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def allowed(
    policy: str, action: str, resource: str, context: Context, *, bucket_policy: str | None = None
) -> bool:
    """Whether a principal with a policy may make a request.

    Args:
        policy: The principal's only policy.
        action: Such as ``s3:GetObject``.
        resource: The ARN that the request is about.
        context: The request's condition keys, such as ``aws:PrincipalTag/…`` and ``s3:prefix``.
            A key with several values is a tuple.
        bucket_policy: The policy of the bucket, whose denials count as well.
    """
    effects = _effects(policy, action, resource, context)
    if bucket_policy is not None:
        effects += _effects(bucket_policy, action, resource, context)
    return "Allow" in effects and "Deny" not in effects


def _effects(policy: str, action: str, resource: str, context: Context) -> list[str]:
    document = json.loads(policy)
    assert document["Version"] == "2012-10-17"  # policy variables need it
    return [
        statement["Effect"]
        for statement in document["Statement"]
        if _applies(statement, action, resource, context)
    ]


def _applies(statement: dict[str, Any], action: str, resource: str, context: Context) -> bool:
    unknown = statement.keys() - _STATEMENT
    assert not unknown, unknown
    assert statement.get("Principal", "*") == "*", statement["Principal"]
    if not any(_like(action, pattern, {}) for pattern in _listed(statement["Action"])):
        return False
    if not any(_like(resource, pattern, context) for pattern in _listed(statement["Resource"])):
        return False
    return all(
        _holds(operator, context.get(key), _listed(values), context)
        for operator, tests in statement.get("Condition", {}).items()
        for key, values in tests.items()
    )


def _holds(
    operator: str, found: str | tuple[str, ...] | None, values: list[str], context: Context
) -> bool:
    """Whether one condition holds. A key that the request does not have matches nothing."""
    if operator == "Null":
        return (found is None) == (values == ["true"])
    if operator == "ForAllValues:StringEquals":  # holds for a key without any value, too
        given = (found,) if isinstance(found, str) else found or ()
        return all(value in values for value in given)
    assert not isinstance(found, tuple), f"{operator} on several values"
    if operator == "StringNotEquals":  # a key that is absent is not equal
        return found not in values
    if found is None:
        return False
    if operator == "StringEquals":
        return found in values
    if operator == "StringLike":
        return any(_like(found, pattern, context) for pattern in values)
    if operator == "Bool":
        return found in values
    assert operator == "NumericLessThan", operator
    return any(float(found) < float(value) for value in values)


def _like(text: str, pattern: str, context: Context) -> bool:
    """Whether a text matches a pattern. A variable is replaced by its value, unescaped.

    AWS documents no escaping of a wildcard in a value, so it counts as a wildcard here: the worst
    case. A variable without a value matches nothing.
    """
    regex = ""
    at = 0
    for match in _VARIABLE.finditer(pattern):
        regex += _globbed(pattern[at : match.start()])
        name = match[1]
        value = context.get(name)
        if name in {"*", "?", "$"}:
            regex += re.escape(name)
        elif isinstance(value, str):
            regex += _globbed(value)
        else:
            return False
        at = match.end()
    regex += _globbed(pattern[at:])
    return re.fullmatch(regex, text, re.DOTALL) is not None


def _globbed(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

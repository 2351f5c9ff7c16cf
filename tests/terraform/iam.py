"""A small evaluator of IAM policies: what the modules' documents use, as AWS documents it.

No local server evaluates conditions and policy variables as AWS does. This one covers Allow and
Deny, Action and Resource with wildcards, the variables ``${key}``, ``${*}``, ``${?}`` and ``${$}``,
and the condition StringLike. It raises on whatever else a document may hold, so that nothing is
passed over.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATEMENT = {"Sid", "Effect", "Action", "Resource", "Condition"}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def allowed(policy: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether a policy alone allows a request.

    Args:
        policy: The document.
        action: Such as ``s3:GetObject``.
        resource: The ARN it is about.
        context: The request's condition keys: ``aws:PrincipalTag/…``, ``s3:prefix``.
    """
    document = json.loads(policy)
    assert document["Version"] == "2012-10-17"  # policy variables need it
    effects = [
        statement["Effect"]
        for statement in document["Statement"]
        if _applies(statement, action, resource, context)
    ]
    return "Allow" in effects and "Deny" not in effects


def _applies(
    statement: dict[str, Any], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    unknown = statement.keys() - _STATEMENT
    assert not unknown, unknown
    if not any(_like(action, pattern, {}) for pattern in _listed(statement["Action"])):
        return False
    if not any(_like(resource, pattern, context) for pattern in _listed(statement["Resource"])):
        return False
    for operator, tests in statement.get("Condition", {}).items():
        assert operator == "StringLike", operator
        for key, patterns in tests.items():
            # A key that the request does not have matches nothing.
            if key not in context:
                return False
            if not any(_like(context[key], p, context) for p in _listed(patterns)):
                return False
    return True


def _like(text: str, pattern: str, context: Mapping[str, str]) -> bool:
    """Whether a text matches a pattern. A variable's value is put in first, as it is.

    AWS documents no escaping of a wildcard in a value, so that one counts as a wildcard here: the
    worst case. A variable without a value matches nothing.
    """
    regex = ""
    at = 0
    for match in _VARIABLE.finditer(pattern):
        regex += _globbed(pattern[at : match.start()])
        name = match[1]
        if name in {"*", "?", "$"}:
            regex += re.escape(name)
        elif name in context:
            regex += _globbed(context[name])
        else:
            return False
        at = match.end()
    regex += _globbed(pattern[at:])
    return re.fullmatch(regex, text, re.DOTALL) is not None


def _globbed(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

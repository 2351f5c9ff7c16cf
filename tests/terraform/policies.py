"""Requests for evaluating the AWS policy documents, and documents with parts removed."""

from __future__ import annotations

import json

Documents = dict[str, dict[str, str]]

PLAIN = "arn:aws:s3:::plain-policies"
ARN = "arn:aws:s3:::tenants-policies"
RECORDED = "arn:aws:s3:::recorded-policies"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
WRITES = ("s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject")
OBJECTS = ("s3:GetObject", *WRITES)

Context = dict[str, str | tuple[str, ...]]

# What every request of a store has, and one that writes with a TTL.
CONNECTION: Context = {
    "aws:ResourceAccount": "123456789012",
    "aws:SecureTransport": "true",
    "s3:TlsVersion": "1.3",
}
REQUEST: Context = CONNECTION | {
    "s3:RequestObjectTagKeys": ("statebucket-ttl",),
    "s3:RequestObjectTag/statebucket-ttl": "4",
}
THROUGH_S3 = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}


def tagged(tenant: str | None, prefix: str | None = None, *, request: Context = REQUEST) -> Context:
    """The context of a request by a principal with a tenant's tag."""
    context = request if tenant is None else request | {"aws:PrincipalTag/tenant": tenant}
    return context if prefix is None else context | {"s3:prefix": prefix}


def without(policy: str, *conditions: str) -> str:
    """A policy whose statements lack the conditions on some keys."""
    document = json.loads(policy)
    for statement in document["Statement"]:
        for tests in statement.get("Condition", {}).values():
            for key in conditions:
                tests.pop(key, None)
    return json.dumps(document)


def without_statement(policy: str, sid: str) -> str:
    """A policy without one statement."""
    document = json.loads(policy)
    kept = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(kept) == len(document["Statement"]) - 1
    return json.dumps(document | {"Statement": kept})

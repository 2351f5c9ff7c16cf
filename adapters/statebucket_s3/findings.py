"""What the replies of S3 and STS say about a bucket and the caller, for ``statebucket doctor``.

A reply is a dictionary as AWS's SDK returns it: the answer, or the error's code in
``["Error"]["Code"]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from statebucket.port.clock import clock_finding
from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy
from statebucket_s3.remedies import READ_ONLY, REMEDIES, terraform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 3.0
"""Seconds to wait for STS, which may not exist."""


class Replies(NamedTuple):
    """The replies about a bucket, by operation.

    Attributes:
        caller: ``GetCallerIdentity``, of STS.
        versioning: ``GetBucketVersioning``.
        public: ``GetPublicAccessBlock``.
        buckets: ``ListBuckets``.
        policy: ``GetBucketPolicy``.
        date: The ``Date`` header of a reply of the bucket's; None if it had none.
        origin: Where the keys come from, if known.
    """

    caller: Mapping[str, Any]
    versioning: Mapping[str, Any]
    public: Mapping[str, Any]
    buckets: Mapping[str, Any]
    policy: Mapping[str, Any]
    date: str | None
    origin: str = ""


def findings_of(bucket: str, replies: Replies) -> Sequence[Finding]:
    """Identity, versioning, public access, excess rights and the clock.

    Args:
        bucket: The bucket's name.
        replies: The replies about it.
    """
    caller = replies.caller
    found = [
        _identity(caller, replies.origin),
        _versions(replies.versioning),
        _public(replies.public),
    ]
    if "Buckets" in replies.buckets:
        found.append(_excess("s3:ListAllMyBuckets: it can list the account's buckets"))
    if _is_policy(replies.policy.get("Policy")) or _code(replies.policy) == "NoSuchBucketPolicy":
        found.append(_excess("s3:GetBucketPolicy: it can read the bucket's policy"))
    found.append(_out_of_sight(str(caller.get("Arn", "")), bucket))
    found.append(clock_finding(replies.date))
    return found


def refusal(code: object) -> dict[str, Any]:
    """An error reply with only this code."""
    return {"Error": {"Code": code}}


FOREIGN_REPLY = refusal("not S3's answer")
"""Replaces a 200 reply that comes from another service or belongs to another request."""


def _code(reply: Mapping[str, Any]) -> str:
    """The code of an error, or its status if it has none; empty for no error."""
    if "Error" not in reply:
        return ""
    status = reply.get("ResponseMetadata", {}).get("HTTPStatusCode", "no code")
    return str(reply["Error"].get("Code") or status)


def _is_policy(said: object) -> bool:
    """Whether a reply is a bucket's policy: some services answer any request with a listing."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return text.lstrip().startswith("{")


def _identity(reply: Mapping[str, Any], origin: str = "") -> Finding:
    arn = str(reply.get("Arn", ""))
    source = f"; the keys are of {origin}" if origin else ""
    if not arn:
        said = _code(reply) or "its answer names no identity"
        return Finding(
            check="identity", status="unknown", message=f"STS does not say: {said}{source}"
        )
    if arn.endswith(":root"):
        return Finding(
            check="identity",
            status="warning",
            message=f"{arn}: the account's root user, whom no policy limits{source}",
            remedy=Remedy(
                advice="use a role with this policy", terraform=REMEDIES.rights.terraform
            ),
        )
    return Finding(check="identity", status="ok", message=f"{arn}{source}")


def _out_of_sight(arn: str, bucket: str) -> Finding:
    """What S3 reveals only to a request that does it."""
    # IAM knows a role's session, as STS names it, by the role.
    session = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    source = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else arn
    partition = arn.split(":")[1] if arn.startswith("arn:") else "aws"
    return Finding(
        check="rights",
        status="note",
        message="S3 does not say whether it may delete the bucket or change its policy or rules; "
        "IAM does",
        remedy=Remedy(
            command=f"aws iam simulate-principal-policy --policy-source-arn {source or '…'} "
            "--action-names s3:DeleteBucket s3:PutBucketPolicy s3:PutLifecycleConfiguration "
            f"--resource-arns arn:{partition}:s3:::{bucket}"
        ),
    )


def _versions(reply: Mapping[str, Any]) -> Finding:
    if error := _code(reply):
        return Finding(
            check="versions",
            status="unknown",
            message=f"versioning cannot be seen ({error})",
            remedy=READ_ONLY,
        )
    status = reply.get("Status", "Disabled")
    if status == "Disabled":
        return Finding(
            check="versions", status="ok", message="versioning is off: a save costs one object"
        )
    kept = "every save" if status == "Enabled" else "what was saved before versioning was suspended"
    return Finding(
        check="versions",
        status="note",
        message=f"versioning is {status.lower()}: {kept} is kept, and billed, until a rule "
        "removes noncurrent versions",
        remedy=terraform("versioning = false, or a small noncurrent_days"),
    )


def _public(reply: Mapping[str, Any]) -> Finding:
    settings = reply.get("PublicAccessBlockConfiguration", {})
    if settings and all(settings.values()):
        return Finding(check="public", status="ok", message="public access is blocked")
    if _code(reply) not in {"", "NoSuchPublicAccessBlockConfiguration"}:
        return Finding(
            check="public",
            status="unknown",
            message=f"whether public access is blocked cannot be seen ({_code(reply)})",
            remedy=READ_ONLY,
        )
    return Finding(
        check="public",
        status="warning",
        message="the bucket itself does not block public access",
        remedy=terraform(),
    )


def _excess(message: str) -> Finding:
    return Finding(
        check="rights", status="warning", message=f"not needed: {message}", remedy=REMEDIES.rights
    )

"""How users of S3 fix the problems that a store may meet."""

from __future__ import annotations

from statebucket.port.remedies import Remedies, Remedy, TerraformLine

MODULE = "terraform/aws"
"""The Terraform module for S3."""


def terraform(line: str = "") -> Remedy:
    """A line of Terraform; without one, the module itself."""
    return Remedy(terraform=TerraformLine(MODULE, line))


RUNTIME_POLICY = "policy = module.state.runtime_policy_json"
TENANT_POLICY = "policy = module.state.tenant_policy_json"
READ_ONLY = terraform("policy = module.state.read_only_policy_json")

REMEDIES = Remedies(
    credentials=Remedy(
        advice="see whose credentials are used, and set AWS_PROFILE or the function's role",
        command="aws sts get-caller-identity",
    ),
    rights=terraform(RUNTIME_POLICY),
    tenant_rights=terraform(TENANT_POLICY),
    absent=Remedy(
        advice="attach this policy; if it is attached already, also allow s3:ListBucket without a "
        "condition, since S3 denies a missing name to those that may not list",
        terraform=TerraformLine(MODULE, RUNTIME_POLICY),
    ),
    tenant_absent=Remedy(
        advice="attach this policy; if it is attached already, give each tenant a bucket of its "
        "own, since S3 denies a missing name to those that may not list",
        terraform=TerraformLine(MODULE, TENANT_POLICY),
    ),
    bucket=Remedy(
        advice="check the name and the region, or create the bucket",
        terraform=TerraformLine(MODULE, ""),
    ),
    settings=Remedy(advice="run the doctor with the rights to look", terraform=READ_ONLY.terraform),
    unseen_reads=Remedy(
        command="aws iam simulate-principal-policy --policy-source-arn … --action-names "
        "s3:GetObject --resource-arns arn:…:s3:::…/elsewhere"
    ),
)

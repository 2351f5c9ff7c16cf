"""How users of Cloud Storage fix the problems that a store may meet."""

from __future__ import annotations

from statebucket.port.remedies import Remedies, Remedy, TerraformLine

MODULE = "terraform/gcp"
"""The Terraform module for Cloud Storage."""


def terraform(line: str = "", *, command: str = "") -> Remedy:
    """A line of Terraform; without one, the module itself. Or a command that does the same."""
    return Remedy(terraform=TerraformLine(MODULE, line), command=command)


RUNTIME = terraform('runtime_members = { function = "serviceAccount:…" }')
READER = terraform('reader_members = { operator = "user:…" }')

REMEDIES = Remedies(
    credentials=Remedy(
        advice="log in, or give the function a service account",
        command="gcloud auth application-default login",
    ),
    rights=RUNTIME,
    tenant_rights=terraform('tenant_members = { … = { function = "serviceAccount:…" } }'),
    bucket=Remedy(
        advice="check the name, or create the bucket", terraform=TerraformLine(MODULE, "")
    ),
    settings=Remedy(advice="run the doctor with the rights to look", terraform=READER.terraform),
    absent=Remedy(
        advice="let the function list the names of the whole bucket, without which Cloud Storage "
        "denies a name that does not exist",
        terraform=TerraformLine(MODULE, "strict_list = false"),
    ),
    tenant_absent=Remedy(
        advice="let tenants list the names of the whole bucket, without which Cloud Storage denies "
        "a name that does not exist; each then sees the names that others have",
        terraform=TerraformLine(MODULE, "strict_tenant_list = false"),
    ),
    listing=Remedy(
        advice="to narrow it, once a first load is known to work without",
        terraform=TerraformLine(MODULE, "strict_list = true"),
    ),
    tenant_listing=Remedy(
        advice="to hide the names, once a first load is known to work without",
        terraform=TerraformLine(MODULE, "strict_tenant_list = true"),
    ),
    unseen_reads=Remedy(
        command="gcloud policy-intelligence troubleshoot-policy iam "
        "//storage.googleapis.com/projects/_/buckets/…/objects/elsewhere --principal-email=… "
        "--permission=storage.objects.get"
    ),
)

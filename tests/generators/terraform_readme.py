"""Writes each module's README from its variables and outputs.

Run it as a program after a change of either. A test compares the result.
"""

from __future__ import annotations

from typing import Any

from terraform.hcl import MODULES, ROOT, literal, outputs_of, variables_of

_TITLES = {
    "aws": "statebucket on AWS",
    "gcp": "statebucket on Google Cloud",
    "azure": "statebucket on Azure",
}

_INTROS = {
    "aws": """\
An S3 bucket for execution state: private, TLS 1.2 only, encrypted, with lifecycle rules that
remove state after its TTL, and policy documents for functions, for inspection, and for tenants
that are kept apart by a tag of the principal.

```hcl
module "state" {
  source      = "…/terraform/aws"
  bucket_name = "acme-state"
  prefix      = "prod"
}

resource "aws_iam_role_policy" "state" {
  name   = "state"
  role   = aws_iam_role.function.id
  policy = module.state.runtime_policy_json
}
```

Give the function `STATEBUCKET_URL = module.state.store_url`. For a complete function see
[examples/aws-lambda](../examples/aws-lambda); for one that handles each event once, with AWS Lambda
Powertools, see [examples/aws-idempotency](../examples/aws-idempotency).
""",
    "gcp": """\
A Cloud Storage bucket for execution state: private, with access decided by IAM alone, encrypted,
with lifecycle rules that remove state after its TTL, and roles limited to the store's prefix or to
one tenant's.

```hcl
module "state" {
  source      = "…/terraform/gcp"
  bucket_name = "acme-state"
  location    = "EUROPE-WEST1"
  prefix      = "prod"

  runtime_members = {
    function = "serviceAccount:${google_service_account.function.email}"
  }
}
```

Give the function `STATEBUCKET_URL = module.state.store_url`. For a complete function see
[examples/gcp-function](../examples/gcp-function). Grants [take effect within some two minutes, at
times seven or more](https://cloud.google.com/iam/docs/access-change-propagation); until then calls
raise `AccessDenied`.
""",
    "azure": """\
A storage account with one container for execution state: private, TLS 1.2 only, no shared keys,
encrypted, with lifecycle rules that remove state after its TTL, and a role with only the rights
that the store needs, limited to its prefix or to one tenant's.

```hcl
module "state" {
  source              = "…/terraform/azure"
  resource_group_name = azurerm_resource_group.this.name
  location            = "westeurope"
  account_name        = "acmestate"
  prefix              = "prod"

  runtime_principal_ids = {
    function = azurerm_user_assigned_identity.function.principal_id
  }
}
```

Give the function `STATEBUCKET_URL = module.state.store_url`. For a complete function see
[examples/azure-function](../examples/azure-function). The account has no shared keys, so the
provider needs

```hcl
provider "azurerm" {
  storage_use_azuread = true

  features {
    storage {
      data_plane_available = false
    }
  }
}
```

Without the second it [waits](https://github.com/hashicorp/terraform-provider-azurerm/issues/26785)
for answers of the account's blobs and queues, which whoever deploys may have no right to, and
which a private account gives to its own network only.
""",
}

_NOTES = {
    "aws": """\
## Tenants kept apart by IAM

Attach `tenant_policy_json` to a role, and give its sessions the tag `tenant`, as a session tag or
as a tag of the role. A principal tagged `tenant=acme` reaches `tenants/acme/` and nothing else.
Open its store with `tenant_store_url`, which has `owner_index=false`: no owner records are
written. A tenant's name here consists of letters, digits, `-` and `_`. A tag with `/`, a wildcard
or any other ASCII character is refused for every action, on the bucket and on the key. Anyone who
may set the tag can choose the tenant, so the role's trust policy must allow `sts:TagSession` to
the right principals only.

With `tenant_owner_records = true` the tenant also reaches its own owner records,
`owners/{execution}/acme`, and `tenant_store_url` keeps them: a store without a tenant then finds
the executions of such tenants by their ids. Contents stay apart as before. There are two side
effects. A tenant can write a record in its own name for any execution id, which makes that id
ambiguous for a store without a tenant; the store then refuses the id and asks for a view. And to
distinguish a missing record from a forbidden one, the tenant may list below
`owners/{execution}/acme`: for an id that it knows or guesses, this shows whether `acme-2` has it,
too. If all tenants' names have the same length, as UUIDs do, none begins with another, and the
listing shows nothing.

## Limits beyond the prefix

- The policies allow nothing on a bucket of the same name in another account.
- The key can be used only through S3 in the bucket's region, never directly.
- The bucket policy refuses all writes that are not encrypted as the bucket encrypts them. A request
  that names no encryption is accepted, so leave the store's `sse` unset. A request that names it
  must name `AES256`, or, with `kms_key_arn`, `aws:kms` with that ARN. Keys sent with the request
  (SSE-C) are refused.
- Objects can have only the tag `statebucket-ttl`, and only with a TTL class as its value.

`extra_bucket_policy_json` adds statements to the bucket policy. A statement whose Sid the module
uses fails the plan, since one of the two would replace the other.

## Missing objects, and who may list

S3 answers a GET of a missing object with 404 only if the caller may list, and otherwise with 403,
which would make each first load `AccessDenied`. The policies here allow `s3:ListBucket` on the
condition that `s3:prefix` is below the store's prefixes or the tenant's. A GET names no prefix;
S3 then uses the object's name as the prefix, which matches. AWS documents the 404 and the 403, but
not the value of `s3:prefix` in that case; others report this behaviour of AWS
([Ceph](https://github.com/ceph/ceph/pull/68577), which does the same "to match aws behavior", and
[Kopia](https://github.com/kopia/kopia/pull/3072)). Try it once: `statebucket doctor`, with a role
that has the policy, requests objects that do not exist.

If it reports `AccessDenied` below the prefixes, as with a server that evaluates the condition for
listings only, allow `s3:ListBucket` without a condition in addition to `runtime_policy_json`. This
exposes the names of all objects in the bucket, but nothing else, and is best done in a bucket that
only the store uses. Do not do it for tenants that are kept apart, since each would see the others'
names: give each tenant its own bucket. A condition for "no prefix" is no narrower, because a
listing of the whole bucket names no prefix either.

## Rules

A bucket has one set of lifecycle rules, and this module owns it: put further rules into
`extra_lifecycle_rules`. A rule that would expire state fails the plan, as does one that shortens
a class of TTLs. The ids of the module's rules begin with `statebucket-tf-`. `apply_lifecycle`
recognises them, leaves them alone and prints the module's input instead. An extra rule with
several prefixes becomes one rule per prefix; each id ends in the last part of its prefix.

To remove a tenant too large for `delete_tenant`, list it in `offboarded_tenants`, apply, run
`statebucket rm-tenant acme --by-lifecycle` from the next day on until it is done, and take it out
again; see [removing a very large tenant](../../core/scale.md#removing-a-very-large-tenant). While
it is listed, anything written to it is lost a day later.

## What was tested

On a local S3 and IAM server, with Terraform 1.11 and provider 5.100, the module was applied,
checked, planned again without a difference, and destroyed. The contract suite runs on the bucket
it creates. A test compares every argument with the schema of provider 6.25, and the arguments were
compared by hand with the package that Pulumi generates from the 6.x provider of October 2026;
provider 6 itself was not run. A test of ours evaluates the policies, including the name of a
missing object as its `s3:prefix`; no local server chooses between 403 and 404 by the right to
list. The module was never applied on AWS itself.
""",
    "gcp": """\
## Tenants kept apart by IAM

A condition on the object's name limits each of `tenant_members` to the objects below
`tenants/{tenant}/`. By default they can list the **names** of all objects in the bucket: other
tenants' ids, executions and keys, but no contents; see [below](#missing-objects-and-who-may-list).
Open their stores with `tenant_store_url`, which has `owner_index=false`: owner records are common
to all tenants. A tenant's name here consists of letters, digits, `-` and `_`. Each tenant takes one
conditional binding of the bucket's policy, in which Google [wants no more than
100](https://cloud.google.com/iam/docs/conditions-overview): give more tenants several buckets, or
keep them apart by views alone.

## Missing objects, and who may list

Cloud Storage answers a GET of a missing object with 404 only to callers with
`storage.objects.list`; to others it answers 403, which would make the first load of each execution
`AccessDenied`. That right belongs to the bucket, so a condition on an object's name does not grant
it ([a report](https://github.com/lanes-sh/link/pull/100)). A condition can look at the prefix that
a listing requests, `storage.googleapis.com/objectListPrefix`. Google documents that for
[Credential Access
Boundaries](https://cloud.google.com/iam/docs/downscoping-short-lived-credentials); whether it
works in allow policies is disputed, and for a GET, which requests no prefix, nothing is
documented.

A store promises that a missing object reads as None, so by default the module works in either
case: all members, including those of tenants, hold a second role on the bucket without a
condition, `roles/storage.legacyBucketReader`. A holder can list the names of **all objects in the
bucket**, outside the prefix too, with what a listing shows of each: its size, times, checksums and
custom metadata. The names contain tenants, executions and keys. A holder can also read the
bucket's settings, but not its IAM policy. Contents, writes and deletes stay limited to the store's
prefix, or to the tenant's.

If the bucket holds other data with confidential names, set `strict_list = true`. The condition on
the requested prefix then limits listings to the store's prefix, and a first load may be
`AccessDenied`. Try it once: `statebucket doctor`, run as the function's identity, requests objects
that do not exist. If it reports `AccessDenied` below the prefix, give the state a bucket of its own
instead.

`strict_tenant_list = true` does the same for `tenant_members`: each lists its own prefix only, and
no tenant sees another's names. A tenant's first load may then be `AccessDenied`. Run the doctor
with a tenant's identity before relying on it. If it reports `AccessDenied`, give each tenant a
bucket of its own, or leave the listing open if names are not confidential: random tenant ids and
execution ids reveal little. Contents stay apart either way.

## Rules

A bucket has one set of lifecycle rules, and this module owns it: put further rules into
`extra_lifecycle_rules`. A rule that would expire state fails the plan. The bucket carries the
labels `statebucket-lifecycle = terraform` and `statebucket-prefix`, a digest of the prefix.
`apply_lifecycle` recognises them, leaves the rules alone and prints the module's input instead.

To remove a tenant too large for `delete_tenant`, list it in `offboarded_tenants`, apply, run
`statebucket rm-tenant acme --by-lifecycle` from the next day on until it is done, and take it out
again; see [removing a very large tenant](../../core/scale.md#removing-a-very-large-tenant). While
it is listed, anything written to it is lost a day later.

Soft delete, which Cloud Storage sets to 7 days by default, is off: every save of a snapshot
replaces an object, and each replaced object would be billed for those days. `soft_delete_days`
turns it on.

## What was tested

Tests check the module's format, its variables and rules as Terraform computes them, and run
checkov. A test compares every argument with the schema of provider 6.50, and the arguments were
compared by hand with the package that Pulumi generates from provider 8.x. The module was **never
planned or applied**: neither the provider nor Google Cloud could be reached where it was written.
""",
    "azure": """\
## Tenants kept apart by role assignments

A condition on the blob's path and on a listing's prefix limits each of `tenant_principal_ids` to
`tenants/{tenant}/`. Open their stores with `tenant_store_url`, which has
`owner_index=false`: owner records are common to all tenants. A tenant's name here consists of
letters, digits, `-` and `_`.

## Deletions

The role has no right to send a batch of deletions:
[Azure requires](https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory#permissions-for-blob-service-operations)
`Microsoft.Storage/storageAccounts/blobServices/containers/write` for it, with which the function
could also change the container. When the first batch of a process is refused, the store deletes
blob by blob from then on, up to 16 at a time. Azure
[counts](https://learn.microsoft.com/rest/api/storageservices/blob-batch#billing) each deletion in a
batch as a transaction, too.

## Rules

An account has one lifecycle policy, and this module owns it: put further rules into
`extra_lifecycle_rules`. A rule that would expire state fails the plan, as does one that shortens
a class of TTLs. The data plane cannot read or write the policy: `check_lifecycle` lists the rules
that it must have, and `apply_lifecycle` cannot write it.

To remove a tenant too large for `delete_tenant`, list it in `offboarded_tenants` and apply. Once
none of its blobs are left, `statebucket rm-tenant acme --by-lifecycle` removes its owner records;
then take it out again. See
[removing a very large tenant](../../core/scale.md#removing-a-very-large-tenant). While it is
listed, anything written to it is lost a day or two later.

Soft delete is off: every save of a snapshot replaces a blob, and each replaced blob would be
billed until it is removed for good. `soft_delete_days` turns it on. Versions and soft-deleted blobs
outlive the TTL by `noncurrent_days` and `soft_delete_days`.

## What was tested

Tests check the module's format, its variables and rules as Terraform computes them, and run
checkov. A test compares every argument with the schema of provider 4.55, and the arguments were
compared by hand with the package that Pulumi generates from the 4.x provider of October 2026. The
module was **never planned or applied**: neither the provider nor Azure could be reached where it
was written.
""",
}


def readme_of(module: str) -> str:
    """A module's README, as it must be."""
    folder = ROOT / module
    lines = [f"# {_TITLES[module]}", "", _INTROS[module]]
    lines += ["## Variables", "", "| name | what it is | type | default |", "|---|---|---|---|"]
    for name, variable in variables_of(folder):
        lines.append(
            f"| `{name}` | {literal(variable['description'])} | `{_type(variable['type'])}` "
            f"| {_default(variable)} |"
        )
    lines += ["", "## Outputs", "", "| name | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {literal(out['description'])} |" for name, out in outputs_of(folder)]
    lines += ["", _NOTES[module]]
    return "\n".join(lines)


def _type(value: Any) -> str:
    """A type on one line."""
    text = " ".join(str(literal(value)).split())
    return text[2:-1] if text.startswith("${") else text


def _default(variable: dict[str, Any]) -> str:
    if "default" not in variable:
        return "required"
    value = literal(variable["default"])
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value!r}`".replace("'", '"')


if __name__ == "__main__":
    for name in MODULES:
        (ROOT / name / "README.md").write_text(readme_of(name))

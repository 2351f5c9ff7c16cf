# Which member gets which role under which condition, as data without a provider: a test lets Terraform
# compute the grants and evaluates them.
locals {
  state_limit = {
    title       = "statebucket-state"
    description = local.state_description
    expression  = local.state_condition
  }

  tenant_limits = {
    for tenant in keys(var.tenant_members) : tenant => {
      title       = local.tenant_labels[tenant].title
      description = local.tenant_labels[tenant].description
      expression  = local.tenant_conditions[tenant]
    }
  }

  tenant_list = flatten([
    for tenant, members in var.tenant_members : [
      for name, member in members : { key = "tenant ${tenant} ${name}", tenant = tenant, member = member }
    ]
  ])

  # Objects, and listings if Cloud Storage evaluates the condition on their prefix.
  object_grants = merge(
    { for name, member in var.runtime_members : "runtime ${name}" => { member = member, role = "roles/storage.objectUser", limit = local.state_limit } },
    { for name, member in var.reader_members : "reader ${name}" => { member = member, role = "roles/storage.objectViewer", limit = local.state_limit } },
    { for one in local.tenant_list : one.key => { member = one.member, role = "roles/storage.objectUser", limit = local.tenant_limits[one.tenant] } },
  )

  # The bucket itself: the names of all its objects, without a condition. A missing object is 404 only
  # to callers that may list, and 403 to all others. This role also reads the bucket's metadata, with
  # the lifecycle rules. Readers run check_lifecycle, so they can read these with strict_list, too.
  bucket_grants = merge(
    { for name, member in var.runtime_members : "bucket runtime ${name}" => { member = member, role = "roles/storage.legacyBucketReader", limit = null } if !var.strict_list },
    { for name, member in var.reader_members : "bucket reader ${name}" => { member = member, role = var.strict_list ? "roles/storage.bucketViewer" : "roles/storage.legacyBucketReader", limit = null } },
    { for one in local.tenant_list : "bucket ${one.key}" => { member = one.member, role = "roles/storage.legacyBucketReader", limit = null } if !var.strict_tenant_list },
  )

  grants = merge(local.object_grants, local.bucket_grants)
}

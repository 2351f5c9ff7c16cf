# Each of these reaches tenants/{tenant}/ and no more.
locals {
  tenant_grants = merge([
    for tenant, members in var.tenant_members : {
      for name, member in members : "${tenant} ${name}" => { tenant = tenant, member = member }
    }
  ]...)

  tenant_conditions = {
    for tenant in keys(var.tenant_members) : tenant => join(" || ", [
      "resource.name.startsWith(\"${local.object_path}${local.root}tenants/${tenant}/\")",
      "${local.list_prefix}.startsWith(\"${local.root}tenants/${tenant}/\")",
    ])
  }
}

resource "google_storage_bucket_iam_member" "tenant" {
  for_each = local.tenant_grants

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = each.value.member

  condition {
    title       = local.tenant_labels[each.value.tenant].title
    description = local.tenant_labels[each.value.tenant].description
    expression  = local.tenant_conditions[each.value.tenant]
  }
}

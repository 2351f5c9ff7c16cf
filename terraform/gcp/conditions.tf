# The IAM conditions, as data without a provider: a test lets Terraform compute them and evaluates
# them.
locals {
  object_path = "projects/_/buckets/${var.bucket_name}/objects/"

  # The prefix that a listing requests. Google documents this attribute for Credential Access
  # Boundaries. Whether allow policies have it is disputed, and what it is for a GET is not documented.
  list_prefix = "api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\")"

  state_condition = join(" || ", concat(
    [for area in local.areas : "resource.name.startsWith(\"${local.object_path}${area}\")"],
    [for area in local.areas : "${local.list_prefix}.startsWith(\"${area}\")"],
    # The health check of a store with owner records lists its root. An empty root is also the default
    # of the attribute for every other request, so this applies to the bucket only.
    var.owner_index ? ["resource.type == \"storage.googleapis.com/Bucket\" && ${local.list_prefix} == \"${local.root}\""] : [],
  ))

  tenant_conditions = {
    for tenant in keys(var.tenant_members) : tenant => join(" || ", [
      "resource.name.startsWith(\"${local.object_path}${local.root}tenants/${tenant}/\")",
      "${local.list_prefix}.startsWith(\"${local.root}tenants/${tenant}/\")",
    ])
  }
}

# Titles and descriptions of conditions. IAM accepts 100 characters in a title and 256 in a
# description. Longer names of tenants and prefixes are shortened.
locals {
  state_label       = "Objects below ${join(", ", local.areas)}"
  state_description = length(local.state_label) <= 256 ? local.state_label : "${substr(local.state_label, 0, 253)}..."

  tenant_paths = { for tenant in keys(var.tenant_members) : tenant => "Objects below ${local.root}tenants/${tenant}/" }

  # A digest keeps the titles of long names distinct.
  tenant_labels = {
    for tenant, path in local.tenant_paths : tenant => {
      title       = "statebucket-tenant-${length(tenant) <= 80 ? tenant : "${substr(tenant, 0, 68)}...${substr(sha256(tenant), 0, 8)}"}"
      description = length(path) <= 256 ? path : "${substr(path, 0, 253)}..."
    }
  }
}

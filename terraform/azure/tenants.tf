# Each of these principals reaches tenants/{tenant}/ and nothing else.
locals {
  tenant_grants = merge([
    for tenant, principals in var.tenant_principal_ids : {
      for name, id in principals : "${tenant} ${name}" => { tenant = tenant, principal_id = id }
    }
  ]...)

  tenant_conditions = {
    for tenant in keys(var.tenant_principal_ids) : tenant => join(" AND ", [
      "((${local.no_blob_action}) OR (${local.path_attribute} StringStartsWith '${local.root}tenants/${tenant}/'))",
      "((${local.not_a_list}) OR (${local.prefix_attribute} StringStartsWith '${local.root}tenants/${tenant}/'))",
    ])
  }
}

resource "azurerm_role_assignment" "tenant" {
  for_each = local.tenant_grants

  scope              = azurerm_storage_container.this.id
  role_definition_id = azurerm_role_definition.runtime.role_definition_resource_id
  principal_id       = each.value.principal_id
  description        = "statebucket: tenant ${each.value.tenant}"
  condition_version  = "2.0"
  condition          = local.tenant_conditions[each.value.tenant]
}

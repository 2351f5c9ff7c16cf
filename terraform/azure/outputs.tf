locals {
  url   = "az://${azurerm_storage_container.this.name}${var.prefix == "" ? "" : "/${var.prefix}"}"
  query = "account=${azurerm_storage_account.this.name}"
}

output "store_url" {
  description = "URL for open_store and STATEBUCKET_URL."
  value       = "${local.url}?${local.query}${var.owner_index ? "" : "&owner_index=false"}"
}

output "tenant_store_url" {
  description = "URL for the stores of tenant_principal_ids, which reach one tenant's blobs only."
  value       = "${local.url}?${local.query}&owner_index=false"
}

output "account_id" {
  description = "The storage account's resource ID."
  value       = azurerm_storage_account.this.id
}

output "account_name" {
  description = "The storage account's name."
  value       = azurerm_storage_account.this.name
}

output "container_id" {
  description = "The container's resource ID, the scope of role assignments."
  value       = azurerm_storage_container.this.id
}

output "runtime_role_definition_id" {
  description = "The role that the store needs, for assignments made outside the module."
  value       = azurerm_role_definition.runtime.role_definition_resource_id
}

output "state_condition" {
  description = "Condition (version 2.0) that limits an assignment of that role to the store's blobs."
  value       = local.state_condition
}

output "tenant_conditions" {
  description = "Conditions (version 2.0) that limit an assignment of that role to one tenant's blobs, keyed by tenant."
  value       = local.tenant_conditions
}

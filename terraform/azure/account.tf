resource "azurerm_storage_account" "this" {
  #checkov:skip=CKV_AZURE_33:The account has no queues
  #checkov:skip=CKV_AZURE_59:Access needs a role; the variable public_network_access closes the public endpoint
  #checkov:skip=CKV_AZURE_206:State lives in one region; replicas elsewhere would be stale
  #checkov:skip=CKV2_AZURE_1:Microsoft's keys by default; the variable customer_managed_key sets another
  #checkov:skip=CKV2_AZURE_33:Private endpoints belong to the network they lead to; attach them to account_id
  #checkov:skip=CKV2_AZURE_38:Soft delete bills every save of a snapshot; the variable soft_delete_days turns it on
  #checkov:skip=CKV2_AZURE_40:Shared keys are off
  #checkov:skip=CKV2_AZURE_41:Without shared keys there are no SAS tokens of the account
  name                = var.account_name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication

  # Blob index tags, and with them the rules, need a flat namespace.
  is_hns_enabled = false

  # TLS only, roles only, nothing public.
  https_traffic_only_enabled       = true
  min_tls_version                  = "TLS1_2"
  shared_access_key_enabled        = false
  allow_nested_items_to_be_public  = false
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  public_network_access_enabled    = var.public_network_access
  cross_tenant_replication_enabled = false

  infrastructure_encryption_enabled = true

  blob_properties {
    versioning_enabled = var.versioning

    dynamic "delete_retention_policy" {
      for_each = var.soft_delete_days == 0 ? [] : [var.soft_delete_days]

      content {
        days = delete_retention_policy.value
      }
    }

    dynamic "container_delete_retention_policy" {
      for_each = var.container_soft_delete_days == 0 ? [] : [var.container_soft_delete_days]

      content {
        days = container_delete_retention_policy.value
      }
    }
  }

  dynamic "identity" {
    for_each = var.customer_managed_key == null ? [] : [var.customer_managed_key]

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.user_assigned_identity_id]
    }
  }

  dynamic "customer_managed_key" {
    for_each = var.customer_managed_key == null ? [] : [var.customer_managed_key]

    content {
      key_vault_key_id          = customer_managed_key.value.key_vault_key_id
      user_assigned_identity_id = customer_managed_key.value.user_assigned_identity_id
    }
  }
}

resource "azurerm_storage_container" "this" {
  #checkov:skip=CKV2_AZURE_21:Request logs are the subscription's choice; attach a diagnostic setting to account_id
  name                  = var.container_name
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

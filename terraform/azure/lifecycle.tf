resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  # The rules of rules.tf.
  dynamic "rule" {
    for_each = local.lifecycle_rules

    content {
      name    = rule.value.id
      enabled = rule.value.enabled

      filters {
        blob_types   = ["blockBlob"]
        prefix_match = rule.value.prefixes

        dynamic "match_blob_index_tag" {
          for_each = rule.value.tags

          content {
            name      = match_blob_index_tag.key
            operation = "=="
            value     = match_blob_index_tag.value
          }
        }
      }

      actions {
        dynamic "base_blob" {
          for_each = rule.value.expiration_days == null ? [] : [rule.value.expiration_days]

          content {
            delete_after_days_since_modification_greater_than = base_blob.value
          }
        }

        dynamic "version" {
          for_each = rule.value.noncurrent_days == null ? [] : [rule.value.noncurrent_days]

          content {
            delete_after_days_since_creation = version.value
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.unsafe_rules) == 0
      error_message = "These extra_lifecycle_rules would expire state before its TTL: ${join(", ", local.unsafe_rules)}. Give each prefixes outside ${var.container_name}/${local.root}, or a tag of its own."
    }
  }
}

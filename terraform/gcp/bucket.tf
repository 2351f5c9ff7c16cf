resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:Access logs are the project's choice; Cloud Audit Logs record data access
  #checkov:skip=CKV_GCP_78:Versioning bills every save of a snapshot; the variable versioning turns it on
  name          = var.bucket_name
  project       = var.project
  location      = var.location
  storage_class = "STANDARD"
  force_destroy = var.force_destroy

  # No ACLs and no public access: IAM alone decides access, and its conditions require this. A bucket
  # has no setting for TLS. The organisation policy storage.secureHttpTransport refuses plain HTTP, and
  # statebucket sends none.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  labels = merge(var.labels, local.rule_labels)

  versioning {
    enabled = var.versioning
  }

  # Cloud Storage's default is 7 days; 0 turns it off.
  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  dynamic "encryption" {
    for_each = var.kms_key_name == null ? [] : [var.kms_key_name]

    content {
      default_kms_key_name = encryption.value
    }
  }

  # The rules of rules.tf.
  dynamic "lifecycle_rule" {
    for_each = local.lifecycle_rules

    content {
      action {
        type = lifecycle_rule.value.abort_uploads_days == null ? "Delete" : "AbortIncompleteMultipartUpload"
      }

      condition {
        matches_prefix             = lifecycle_rule.value.prefixes == tolist([""]) ? null : lifecycle_rule.value.prefixes
        age                        = try(coalesce(lifecycle_rule.value.expiration_days, lifecycle_rule.value.abort_uploads_days), null)
        days_since_custom_time     = lifecycle_rule.value.custom_time_days
        days_since_noncurrent_time = lifecycle_rule.value.noncurrent_days
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.unsafe_rules) == 0
      error_message = "These extra_lifecycle_rules would expire state before its TTL: ${join("; ", local.unsafe_rules)}. Give each prefixes outside ${local.root}."
    }
  }
}

locals {
  url = "gs://${google_storage_bucket.this.name}${var.prefix == "" ? "" : "/${var.prefix}"}"
}

output "store_url" {
  description = "URL for open_store and STATEBUCKET_URL."
  value       = "${local.url}${var.owner_index ? "" : "?owner_index=false"}"
}

output "tenant_store_url" {
  description = "URL for the stores of tenant_members, which reach one tenant's objects only."
  value       = "${local.url}?owner_index=false"
}

output "bucket_name" {
  description = "The bucket's name."
  value       = google_storage_bucket.this.name
}

output "bucket_self_link" {
  description = "The bucket's URI in the JSON API."
  value       = google_storage_bucket.this.self_link
}

output "state_condition" {
  description = "IAM condition that limits a role on the bucket to the store's objects, for grants made outside the module. Like strict_list, it also limits listings."
  value       = local.state_condition
}

output "tenant_conditions" {
  description = "IAM conditions that limit a role on the bucket to one tenant's objects, keyed by tenant."
  value       = local.tenant_conditions
}

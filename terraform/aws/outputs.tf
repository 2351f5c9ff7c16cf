locals {
  region_query = "region=${aws_s3_bucket.this.region}"
  url          = "s3://${aws_s3_bucket.this.id}${var.prefix == "" ? "" : "/${var.prefix}"}"
}

output "store_url" {
  description = "URL for open_store and STATEBUCKET_URL."
  value       = "${local.url}?${local.region_query}${var.owner_index ? "" : "&owner_index=false"}"
}

output "tenant_store_url" {
  description = "URL for functions with tenant_policy_json, which reach one tenant's objects only."
  value       = "${local.url}?${local.region_query}${var.tenant_owner_records ? "" : "&owner_index=false"}"
}

output "bucket_id" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.id
}

output "bucket_arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "runtime_policy_json" {
  description = "Policy for functions that use the whole store."
  value       = data.aws_iam_policy_document.runtime.json
}

output "read_only_policy_json" {
  description = "Policy for inspection: reads state, lifecycle rules and the settings that `statebucket doctor` checks. It changes nothing."
  value       = data.aws_iam_policy_document.read_only.json
}

output "tenant_policy_json" {
  description = "Policy for functions of one tenant, named by a tag of the session or role."
  value       = data.aws_iam_policy_document.tenant.json
}

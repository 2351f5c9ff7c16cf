resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access logs are the account's choice; attach aws_s3_bucket_logging to bucket_id
  #checkov:skip=CKV_AWS_21:Versioning bills every save of a snapshot; the variable versioning turns it on
  #checkov:skip=CKV_AWS_144:Conditions and leases hold within one bucket; replicas would be stale
  #checkov:skip=CKV_AWS_145:SSE-S3 by default; the variable kms_key_arn sets another
  #checkov:skip=CKV2_AWS_62:Nothing listens for changes of state
  bucket        = var.bucket_name
  force_destroy = var.force_destroy
  tags          = var.tags
}

# No ACLs: access is decided by policies alone.
resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Only on request: "Suspended" differs from a bucket that never had versions, and there is no way back to
# "Disabled".
resource "aws_s3_bucket_versioning" "this" {
  count = var.versioning ? 1 : 0

  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

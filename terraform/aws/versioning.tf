# Only if versioning is requested: "Suspended" differs from a bucket that never had versions, and a bucket
# cannot return to "Disabled".
resource "aws_s3_bucket_versioning" "this" {
  count = var.versioning ? 1 : 0

  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

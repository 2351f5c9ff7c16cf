# Only where it is wanted: "Suspended" is not the same as never versioned, and "Disabled" cannot be
# returned to.
resource "aws_s3_bucket_versioning" "this" {
  count = var.versioning ? 1 : 0

  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

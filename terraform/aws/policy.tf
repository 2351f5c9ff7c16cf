locals {
  # The Sids of the statements below. A statement of extra_bucket_policy_json with one of them would
  # replace ours or be replaced.
  own_sids = ["DenyPlainHTTP", "DenyOldTLS", "DenyOtherEncryption", "DenyCustomerKeys"]

  extra_sids = compact(try([
    for statement in flatten([jsondecode(var.extra_bucket_policy_json).Statement]) : try(statement.Sid, "")
  ], []))
}

# For everyone, no matter what else allows a request: TLS 1.2 or later, and state encrypted as the bucket
# encrypts it.
data "aws_iam_policy_document" "bucket" {
  source_policy_documents = compact([var.extra_bucket_policy_json])

  statement {
    sid       = "DenyPlainHTTP"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "DenyOldTLS"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }

  # A writer that names its own key could make state unreadable to everyone else. A request that names
  # no encryption gets the bucket's; one that does must name the bucket's. With kms_key_arn it must name
  # that key, since aws:kms without a key uses another one, the key that AWS manages for S3.
  statement {
    sid       = "DenyOtherEncryption"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = local.area_arns

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption"
      values   = ["false"]
    }

    condition {
      test     = "StringNotEquals"
      variable = var.kms_key_arn == null ? "s3:x-amz-server-side-encryption" : "s3:x-amz-server-side-encryption-aws-kms-key-id"
      values   = [var.kms_key_arn == null ? "AES256" : var.kms_key_arn]
    }
  }

  # Keys sent with the request (SSE-C).
  statement {
    sid       = "DenyCustomerKeys"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = local.area_arns

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption-customer-algorithm"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.bucket.json

  lifecycle {
    precondition {
      condition     = length(setintersection(local.own_sids, local.extra_sids)) == 0
      error_message = "extra_bucket_policy_json has statements with Sids of the module's own: ${join(", ", setintersection(local.own_sids, local.extra_sids))}. One of each pair would be lost. Give them other Sids, or none."
    }

    precondition {
      condition     = length(distinct(local.extra_sids)) == length(local.extra_sids)
      error_message = "extra_bucket_policy_json has several statements with the same Sid, of which all but one would be lost: ${join(", ", local.extra_sids)}. Give each a Sid of its own, or none."
    }
  }

  # S3 refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

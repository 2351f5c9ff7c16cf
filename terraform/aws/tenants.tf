# One document for all tenants: a principal tagged tenant=acme reaches tenants/acme/ and no more.
data "aws_iam_policy_document" "tenant" {
  statement {
    sid       = "OwnState"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.this.arn}/${local.tenant_path}"]
  }

  statement {
    sid       = "ListOwnState"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [local.tenant_path]
    }
  }

  # The tag's value becomes part of a path and of a pattern. A tenant here is of letters, digits,
  # '-' and '_': every other character that a tag may hold is refused, so that acme/snapshots does
  # not become a tenant, nor a wildcard all of them. IAM has no character classes; a letter outside
  # ASCII stays allowed, and names a path that statebucket, which escapes it, never writes.
  statement {
    sid       = "DenyTenantThatIsNoName"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    condition {
      test     = "StringLike"
      variable = "aws:PrincipalTag/${var.tenant_tag}"
      values = concat(
        ["", "*$${*}*", "*$${?}*", "*$${$}*"],
        [for character in ["/", ".", ":", "=", "+", "@", " ", "~", "%", "\\"] : "*${character}*"],
      )
    }
  }

  dynamic "statement" {
    for_each = local.own_keys

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

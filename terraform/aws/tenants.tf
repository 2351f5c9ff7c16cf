# One document for all tenants: a principal tagged tenant=acme reaches tenants/acme/, with
# tenant_owner_records its own owner records, and nothing else.
data "aws_iam_policy_document" "tenant" {
  statement {
    sid       = "OwnState"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = [for path in local.tenant_paths : "${aws_s3_bucket.this.arn}/${path}"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }
  }

  # As in the runtime policy: the TTL tag only.
  statement {
    sid       = "TagOwnState"
    actions   = ["s3:PutObjectTagging"]
    resources = [for path in local.tenant_paths : "${aws_s3_bucket.this.arn}/${path}"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "s3:RequestObjectTagKeys"
      values   = [local.ttl_tag]
    }

    condition {
      test     = "StringEquals"
      variable = "s3:RequestObjectTag/${local.ttl_tag}"
      values   = local.ttl_classes
    }
  }

  statement {
    sid       = "ListOwnState"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = local.tenant_paths
    }
  }

  # The tag's value becomes part of a path and of a pattern. A tenant here consists of letters, digits,
  # '-' and '_'. Every other ASCII character that a tag may contain is refused, for the key as well as
  # for the bucket: otherwise acme/snapshots would be a tenant, and a wildcard would match all tenants.
  # IAM has no character classes, so letters outside ASCII stay allowed. statebucket escapes them, so
  # they name paths that it never writes.
  statement {
    sid       = "DenyMalformedTenant"
    effect    = "Deny"
    actions   = ["s3:*", "kms:*"]
    resources = concat([aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"], local.own_keys)

    condition {
      test     = "StringLike"
      variable = "aws:PrincipalTag/${var.tenant_tag}"
      values = concat(
        ["", "*$${*}*", "*$${?}*", "*$${$}*"],
        [for character in ["/", ".", ":", "=", "+", "@", " ", "~", "%", "\\"] : "*${character}*"],
      )
    }
  }

  # A principal without the tag matches no path above, and may not use the key here.
  dynamic "statement" {
    for_each = local.own_keys

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [local.via_service]
      }

      condition {
        test     = "StringLike"
        variable = "aws:PrincipalTag/${var.tenant_tag}"
        values   = ["?*"]
      }
    }
  }
}

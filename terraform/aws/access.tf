# What each kind of function may do, as documents to attach to a role.
locals {
  area_arns    = [for area in local.areas : "${aws_s3_bucket.this.arn}/${area}*"]
  tenant_value = "$${aws:PrincipalTag/${var.tenant_tag}}"
  tenant_path  = "${local.root}tenants/${local.tenant_value}/*"
  own_keys     = compact([var.kms_key_arn])

  # The condition on s3:prefix is what keeps listings below an area. It also decides what a GET of a
  # missing object is answered: 404 only to who may list, and there S3 takes the object's own name for
  # the prefix. Every name below an area matches, so that what is not there is "not found", and not
  # "denied"; without a condition, or with one for requests that name no prefix, all the bucket's
  # names could be listed.
  #
  # A store with owner records lists its root for a health check. That is named exactly: with an
  # asterisk at its end an empty root would be every prefix.
  list_prefixes = concat([for area in local.areas : "${area}*"], var.owner_index ? [local.root] : [])
}

# Functions that use the store as a whole.
data "aws_iam_policy_document" "runtime" {
  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject"]
    resources = local.area_arns
  }

  statement {
    sid       = "ListState"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = local.list_prefixes
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

# People and tools that look at state and at the bucket's rules, and change nothing.
data "aws_iam_policy_document" "read_only" {
  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject", "s3:GetObjectTagging"]
    resources = local.area_arns
  }

  statement {
    sid       = "ListState"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = local.list_prefixes
    }
  }

  statement {
    sid       = "ReadSettings"
    actions   = ["s3:GetLifecycleConfiguration", "s3:GetBucketVersioning", "s3:GetBucketPublicAccessBlock"]
    resources = [aws_s3_bucket.this.arn]
  }

  dynamic "statement" {
    for_each = local.own_keys

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

# Policy documents to attach to the roles of functions and people.
data "aws_caller_identity" "current" {}

locals {
  # Another account may take a bucket's name once the bucket is deleted: the documents allow nothing on
  # that account's bucket.
  account_id = data.aws_caller_identity.current.account_id

  area_arns    = [for area in local.areas : "${aws_s3_bucket.this.arn}/${area}*"]
  tenant_value = "$${aws:PrincipalTag/${var.tenant_tag}}"

  # A tenant's own objects. Its owner records are those with a name that ends in the tenant; the
  # execution, the segment before it, contains no slash.
  tenant_paths = concat(
    ["${local.root}tenants/${local.tenant_value}/*"],
    var.tenant_owner_records ? ["${local.root}owners/*/${local.tenant_value}"] : [],
  )

  # The key is used only through S3 in the bucket's region. The suffix of a service's name differs
  # between partitions.
  own_keys    = compact([var.kms_key_arn])
  via_service = "s3.${aws_s3_bucket.this.region}.*"

  # The condition on s3:prefix limits listings to an area. It also decides the answer to a GET of a
  # missing object: S3 answers 404 only if the caller may list, with the object's own name as the
  # prefix. Every name below an area matches, so a missing object is "not found" and not "denied".
  # Without a condition, or with one for requests that name no prefix, all names in the bucket could
  # be listed.
  #
  # The health check of a store with owner records lists its root. The root is named exactly: with an
  # asterisk at its end an empty root would match every prefix.
  list_prefixes = concat([for area in local.areas : "${area}*"], var.owner_index ? [local.root] : [])
}

# Functions that use the whole store.
data "aws_iam_policy_document" "runtime" {
  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = local.area_arns

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }
  }

  # Tags may control an account's other rules and policies: allow only ours, with a class as its value.
  statement {
    sid       = "TagState"
    actions   = ["s3:PutObjectTagging"]
    resources = local.area_arns

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
    sid       = "ListState"
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
      values   = local.list_prefixes
    }
  }

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
    }
  }
}

# People and tools that inspect state and the bucket's settings, and change nothing.
data "aws_iam_policy_document" "read_only" {
  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject", "s3:GetObjectTagging"]
    resources = local.area_arns

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }
  }

  statement {
    sid       = "ListState"
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
      values   = local.list_prefixes
    }
  }

  statement {
    sid       = "ReadSettings"
    actions   = ["s3:GetLifecycleConfiguration", "s3:GetBucketVersioning", "s3:GetBucketPublicAccessBlock"]
    resources = [aws_s3_bucket.this.arn]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }
  }

  dynamic "statement" {
    for_each = local.own_keys

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [local.via_service]
      }
    }
  }
}

# An S3 rule has one prefix, so each of our rules becomes one rule per prefix. Their ids end in the last
# part of the prefix or, if two prefixes share it, in their number.
locals {
  s3_rules = flatten([
    for rule in local.lifecycle_rules : [
      for number, prefix in rule.prefixes : {
        id = length(rule.prefixes) == 1 ? rule.id : join("-", [
          rule.id,
          length(distinct([for one in rule.prefixes : basename(one)])) == length(rule.prefixes) ? basename(prefix) : number + 1,
        ])
        prefix = prefix
        does   = rule
        # S3 accepts "and" only for several conditions, and an empty prefix is none.
        both = length(rule.tags) + (prefix == "" ? 0 : 1) > 1
      }
    ]
  ])
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:Unfinished uploads are aborted by the tidy rule of rules.tf, in a dynamic block that checkov does not follow
  bucket = aws_s3_bucket.this.id

  dynamic "rule" {
    for_each = local.s3_rules

    content {
      id     = rule.value.id
      status = rule.value.does.enabled ? "Enabled" : "Disabled"

      filter {
        prefix = length(rule.value.does.tags) == 0 ? rule.value.prefix : null

        dynamic "tag" {
          for_each = rule.value.both ? {} : rule.value.does.tags

          content {
            key   = tag.key
            value = tag.value
          }
        }

        dynamic "and" {
          for_each = length(rule.value.does.tags) > 0 && rule.value.both ? [rule.value] : []

          content {
            prefix = and.value.prefix == "" ? null : and.value.prefix
            tags   = and.value.does.tags
          }
        }
      }

      dynamic "expiration" {
        for_each = rule.value.does.expiration_days == null ? [] : [rule.value.does.expiration_days]

        content {
          days = expiration.value
        }
      }

      dynamic "expiration" {
        for_each = rule.value.does.expired_delete_markers ? [true] : []

        content {
          expired_object_delete_marker = true
        }
      }

      dynamic "noncurrent_version_expiration" {
        for_each = rule.value.does.noncurrent_days == null ? [] : [rule.value.does.noncurrent_days]

        content {
          noncurrent_days = noncurrent_version_expiration.value
        }
      }

      dynamic "abort_incomplete_multipart_upload" {
        for_each = rule.value.does.abort_uploads_days == null ? [] : [rule.value.does.abort_uploads_days]

        content {
          days_after_initiation = abort_incomplete_multipart_upload.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.unsafe_rules) == 0
      error_message = "These extra_lifecycle_rules would expire state before its TTL: ${join(", ", local.unsafe_rules)}. Give each a prefix outside ${local.root}, or a tag of its own."
    }

    precondition {
      condition     = length(distinct(local.s3_rules[*].id)) == length(local.s3_rules) && alltrue([for rule in local.s3_rules : length(rule.id) <= 255])
      error_message = "A rule with several prefixes becomes one for each, whose id ends in the last part of the prefix. These extra_lifecycle_rules would make two rules with the same id, or an id of more than 255 characters: shorten or change their ids."
    }
  }

  # Versioning must be in place before a rule for noncurrent versions.
  depends_on = [aws_s3_bucket_versioning.this]
}

# What the module refuses, and what it computes from its variables. No request leaves this machine.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }
}

variables {
  bucket_name = "acme-state"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(local.s3_rules) == 36
    error_message = "11 classes and a tidy rule, for each of three areas"
  }

  assert {
    condition     = alltrue([for rule in local.s3_rules : startswith(rule.id, "statebucket-tf-") && endswith(rule.prefix, "/")])
    error_message = "ids carry Terraform's mark, prefixes their closing slash"
  }

  assert {
    condition     = length(aws_s3_bucket_versioning.this) == 0
    error_message = "versioning is off by default"
  }
}

run "without_owner_records" {
  command = plan

  variables {
    prefix      = "app/state"
    owner_index = false
    versioning  = true
  }

  assert {
    condition     = length(local.s3_rules) == 12 && alltrue([for rule in local.s3_rules : rule.prefix == "app/state/tenants/"])
    error_message = "rules for tenants/ only"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled"
    error_message = "versioning is on"
  }
}

# S3 calls an "and" of one condition malformed: https://github.com/hashicorp/terraform-provider-aws/issues/23882
run "filters" {
  command = plan

  variables {
    extra_lifecycle_rules = [
      { id = "tag", tags = { kind = "draft" }, expiration_days = 3 },
      { id = "tags", tags = { kind = "draft", team = "a" }, expiration_days = 3 },
      { id = "below", prefixes = ["logs/"], tags = { kind = "draft" }, expiration_days = 3 },
      { id = "all", abort_uploads_days = 3 },
    ]
  }

  assert {
    condition = jsonencode({
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      rule.id => [[for one in rule.filter[0].tag : one.key], [for one in rule.filter[0].and : keys(one.tags)]]
      if !startswith(rule.id, "statebucket-")
      }) == jsonencode({
      tag   = [["kind"], []]
      tags  = [[], [["kind", "team"]]]
      below = [[], [["kind"]]]
      all   = [[], []]
    })
    error_message = "a tag alone is no \"and\""
  }
}

run "bucket_name_with_dots" {
  command         = plan
  expect_failures = [var.bucket_name]

  variables {
    bucket_name = "acme.state"
  }
}

run "prefix_with_a_closing_slash" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "app/"
  }
}

run "prefix_with_a_wildcard" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "app/*"
  }
}

run "prefix_with_a_policy_variable" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "$${aws:username}"
  }
}

run "prefix_that_climbs" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "app/.."
  }
}

run "key_by_alias" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/state"
  }
}

run "noncurrent_days_below_one" {
  command         = plan
  expect_failures = [var.noncurrent_days]

  variables {
    noncurrent_days = 0
  }
}

run "abort_uploads_days_with_a_fraction" {
  command         = plan
  expect_failures = [var.abort_uploads_days]

  variables {
    abort_uploads_days = 1.5
  }
}

run "tenant_tag_with_a_slash" {
  command         = plan
  expect_failures = [var.tenant_tag]

  variables {
    tenant_tag = "acme/tenant"
  }
}

run "owner_records_of_tenants_without_an_index" {
  command = plan

  variables {
    owner_index          = false
    tenant_owner_records = true
  }

  expect_failures = [var.tenant_owner_records]
}

run "bucket_policy_that_is_no_document" {
  command         = plan
  expect_failures = [var.extra_bucket_policy_json]

  variables {
    extra_bucket_policy_json = "allow everything"
  }
}

run "bucket_policy_with_a_sid_of_the_modules" {
  command         = plan
  expect_failures = [aws_s3_bucket_policy.this]

  variables {
    extra_bucket_policy_json = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Deny", Action = "s3:*" }, { Sid = "DenyOldTLS", Effect = "Allow", Action = "s3:*" }]
    })
  }
}

run "bucket_policy_of_one_statement_with_a_sid_of_the_modules" {
  command         = plan
  expect_failures = [aws_s3_bucket_policy.this]

  variables {
    extra_bucket_policy_json = jsonencode({
      Version   = "2012-10-17"
      Statement = { Sid = "DenyPlainHTTP", Effect = "Allow", Action = "s3:*" }
    })
  }
}

run "bucket_policy_with_a_sid_twice" {
  command         = plan
  expect_failures = [aws_s3_bucket_policy.this]

  variables {
    extra_bucket_policy_json = jsonencode({
      Version   = "2012-10-17"
      Statement = [for action in ["s3:PutObject", "s3:DeleteObject"] : { Sid = "Mine", Effect = "Deny", Action = action }]
    })
  }
}

run "bucket_policy_with_sids_of_its_own" {
  command = plan

  variables {
    extra_bucket_policy_json = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Deny", Action = "s3:*" }, { Effect = "Deny", Action = "s3:*" }, { Sid = "Mine", Effect = "Deny", Action = "s3:*" }]
    })
  }

  assert {
    condition     = join(" ", local.extra_sids) == "Mine"
    error_message = "statements without a Sid are kept apart by S3"
  }
}

run "extra_rules_of_one_id" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [
      { id = "logs", prefixes = ["logs/"], expiration_days = 1 },
      { id = "logs", prefixes = ["old/"], expiration_days = 2 },
    ]
  }
}

run "extra_rule_that_does_nothing" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "idle", prefixes = ["logs/"] }]
  }
}

run "extra_rule_with_tags_and_markers" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "mixed", tags = { a = "b" }, expired_delete_markers = true }]
  }
}

run "extra_rule_that_would_expire_state" {
  command         = plan
  expect_failures = [aws_s3_bucket_lifecycle_configuration.this]

  variables {
    prefix                = "app"
    extra_lifecycle_rules = [{ id = "cleanup", expiration_days = 30 }]
  }
}

run "extra_rule_that_would_expire_a_tenant" {
  command         = plan
  expect_failures = [aws_s3_bucket_lifecycle_configuration.this]

  variables {
    prefix                = "app"
    extra_lifecycle_rules = [{ id = "cleanup", prefixes = ["logs/", "app/tenants/acme/"], expiration_days = 30 }]
  }
}

run "extra_rules_that_take_no_state" {
  command = plan

  variables {
    prefix = "app"
    extra_lifecycle_rules = [
      { id = "logs", prefixes = ["logs/"], expiration_days = 30 },
      { id = "beside", prefixes = ["app/tenants-old/"], expiration_days = 30 },
      { id = "tagged", tags = { temporary = "yes" }, expiration_days = 1 },
      { id = "versions", noncurrent_days = 30 },
    ]
  }

  assert {
    condition     = length(local.s3_rules) == 40
    error_message = "the extra rules stand beside the module's"
  }
}

run "extra_rule_without_an_id" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "", prefixes = ["logs/"], expiration_days = 1 }]
  }
}

run "extra_rule_with_an_id_of_the_modules" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "statebucket-tf-${substr(sha256(""), 0, 8)}-tidy", prefixes = ["logs/"], noncurrent_days = 1 }]
  }
}

run "extra_rule_at_once" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "logs", prefixes = ["logs/"], expiration_days = 0 }]
  }
}

run "extra_rule_after_half_a_day" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "logs", prefixes = ["logs/"], noncurrent_days = 0.5 }]
  }
}

run "extra_rule_that_shortens_a_class" {
  command         = plan
  expect_failures = [aws_s3_bucket_lifecycle_configuration.this]

  variables {
    extra_lifecycle_rules = [{ id = "short", prefixes = ["tenants/"], tags = { statebucket-ttl = "1024" }, expiration_days = 1 }]
  }
}

run "extra_rules_that_end_in_one_id" {
  command         = plan
  expect_failures = [aws_s3_bucket_lifecycle_configuration.this]

  variables {
    extra_lifecycle_rules = [
      { id = "x", prefixes = ["logs/a/", "logs/b/"], expiration_days = 1 },
      { id = "x-a", prefixes = ["old/"], expiration_days = 1 },
    ]
  }
}

run "extra_rule_whose_prefixes_end_alike" {
  command = plan

  variables {
    extra_lifecycle_rules = [
      { id = "x", prefixes = ["logs/a", "other/a"], expiration_days = 1 },
      { id = "class", prefixes = ["tenants/"], tags = { statebucket-ttl = "4" }, expiration_days = 4 },
    ]
  }

  assert {
    condition     = join(" ", slice(local.s3_rules[*].id, 36, 39)) == "x-1 x-2 class"
    error_message = "each of its rules has an id of its own"
  }
}

run "tenants_that_are_removed" {
  command = plan

  variables {
    prefix             = "app"
    offboarded_tenants = ["acme", "b~20c.d"]
  }

  assert {
    condition     = length(local.s3_rules) == 38 && alltrue([for rule in local.offboarding_rules : endswith(rule.prefixes[0], "/") && rule.expiration_days == 1])
    error_message = "a rule for each tenant, for its own prefix with the closing slash"
  }
}

run "removed_tenant_that_is_all_tenants" {
  command         = plan
  expect_failures = [var.offboarded_tenants]

  variables {
    offboarded_tenants = [""]
  }
}

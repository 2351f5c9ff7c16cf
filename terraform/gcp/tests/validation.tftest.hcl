# What the module refuses, and what it computes from its variables. No request leaves this machine.
mock_provider "google" {}

variables {
  bucket_name = "acme-state"
  location    = "EUROPE-WEST1"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(local.lifecycle_rules) == 3
    error_message = "a rule for TTLs, for versions, and for uploads"
  }

  assert {
    condition     = alltrue([for rule in local.lifecycle_rules : alltrue([for prefix in rule.prefixes : endswith(prefix, "/")])])
    error_message = "prefixes have their closing slash"
  }
}

run "without_owner_records" {
  command = plan

  variables {
    prefix      = "app/state"
    owner_index = false
  }

  assert {
    condition     = local.ttl_rule.prefixes == ["app/state/tenants/"]
    error_message = "rules for tenants/ only"
  }
}

run "bucket_name_of_googles" {
  command         = plan
  expect_failures = [var.bucket_name]

  variables {
    bucket_name = "google-state"
  }
}

run "location_that_is_none" {
  command         = plan
  expect_failures = [var.location]

  variables {
    location = "europe west"
  }
}

run "prefix_with_a_closing_slash" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "app/"
  }
}

run "prefix_with_a_quote" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "app\") || true || (\""
  }
}

run "key_by_short_name" {
  command         = plan
  expect_failures = [var.kms_key_name]

  variables {
    kms_key_name = "state"
  }
}

run "noncurrent_days_below_one" {
  command         = plan
  expect_failures = [var.noncurrent_days]

  variables {
    noncurrent_days = 0
  }
}

run "abort_uploads_days_below_one" {
  command         = plan
  expect_failures = [var.abort_uploads_days]

  variables {
    abort_uploads_days = 0
  }
}

run "soft_delete_for_a_day" {
  command         = plan
  expect_failures = [var.soft_delete_days]

  variables {
    soft_delete_days = 1
  }
}

run "everyone_as_a_member" {
  command         = plan
  expect_failures = [var.runtime_members]

  variables {
    runtime_members = { all = "allUsers" }
  }
}

run "everyone_as_a_reader" {
  command         = plan
  expect_failures = [var.reader_members]

  variables {
    reader_members = { all = "allAuthenticatedUsers" }
  }
}

run "tenant_with_a_slash" {
  command         = plan
  expect_failures = [var.tenant_members]

  variables {
    tenant_members = { "acme/snapshots" = { function = "serviceAccount:f@p.iam.gserviceaccount.com" } }
  }
}

run "everyone_as_a_tenant" {
  command         = plan
  expect_failures = [var.tenant_members]

  variables {
    tenant_members = { acme = { all = "allUsers" } }
  }
}

run "label_of_the_modules" {
  command         = plan
  expect_failures = [var.labels]

  variables {
    labels = { statebucket-lifecycle = "mine" }
  }
}

run "extra_rule_that_does_two_things" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ prefixes = ["logs/"], expiration_days = 1, noncurrent_days = 1 }]
  }
}

run "extra_rule_at_once" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ prefixes = ["logs/"], custom_time_days = 0 }]
  }
}

run "extra_rules_that_would_expire_state" {
  command = plan

  variables {
    prefix = "app"
    extra_lifecycle_rules = [
      { prefixes = ["logs/"], expiration_days = 30 },
      { noncurrent_days = 30 },
    ]
  }

  assert {
    condition     = length(local.unsafe_rules) == 0
    error_message = "neither takes state"
  }
}

run "extra_rule_after_half_a_day" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ prefixes = ["logs/"], noncurrent_days = 0.5 }]
  }
}

run "tenant_of_too_many_letters" {
  command         = plan
  expect_failures = [var.tenant_members]

  variables {
    tenant_members = { (join("", [for one in range(257) : "a"])) = { function = "serviceAccount:f@p.iam.gserviceaccount.com" } }
  }
}

run "labels_of_conditions" {
  command = plan

  variables {
    prefix = join("/", [for one in range(64) : "pre"])
    tenant_members = {
      acme                                     = { function = "serviceAccount:f@p.iam.gserviceaccount.com" }
      (join("", [for one in range(80) : "b"])) = { function = "serviceAccount:f@p.iam.gserviceaccount.com" }
      (join("", [for one in range(81) : "c"])) = { function = "serviceAccount:f@p.iam.gserviceaccount.com" }
      (join("", [for one in range(82) : "c"])) = { function = "serviceAccount:f@p.iam.gserviceaccount.com" }
    }
  }

  assert {
    condition     = alltrue([for label in values(local.tenant_labels) : length(label.title) <= 100 && length(label.description) <= 256])
    error_message = "IAM takes 100 characters in a title and 256 in a description"
  }

  assert {
    condition     = length(local.state_description) == 256
    error_message = "IAM takes 256 characters in a description"
  }

  assert {
    condition     = local.tenant_labels["acme"].title == "statebucket-tenant-acme" && length(distinct(values(local.tenant_labels)[*].title)) == 4
    error_message = "a title names one tenant"
  }
}

run "tenants_that_are_removed" {
  command = plan

  variables {
    prefix             = "app"
    offboarded_tenants = ["acme", "b~20c.d"]
  }

  assert {
    condition     = length(local.lifecycle_rules) == 5 && alltrue([for rule in local.offboarding_rules : endswith(rule.prefixes[0], "/") && rule.expiration_days == 1])
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

run "removed_tenant_with_a_slash" {
  command         = plan
  expect_failures = [var.offboarded_tenants]

  variables {
    offboarded_tenants = ["acme/keys"]
  }
}

run "removed_tenant_that_climbs" {
  command         = plan
  expect_failures = [var.offboarded_tenants]

  variables {
    offboarded_tenants = [".."]
  }
}

run "removed_tenant_that_is_not_escaped" {
  command         = plan
  expect_failures = [var.offboarded_tenants]

  variables {
    offboarded_tenants = ["acme corp"]
  }
}

run "removed_tenant_twice" {
  command         = plan
  expect_failures = [var.offboarded_tenants]

  variables {
    offboarded_tenants = ["acme", "acme"]
  }
}

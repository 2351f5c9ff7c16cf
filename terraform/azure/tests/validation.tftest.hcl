# What the module refuses, and what it computes from its variables. No request leaves this machine.
mock_provider "azurerm" {}

variables {
  resource_group_name = "acme"
  location            = "westeurope"
  account_name        = "acmestate"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(local.lifecycle_rules) == 12
    error_message = "11 classes and a tidy rule"
  }

  assert {
    condition     = alltrue([for rule in local.lifecycle_rules : can(regex("^[A-Za-z0-9]+$", rule.id))])
    error_message = "Azure takes letters and digits in a rule's name"
  }

  assert {
    condition     = alltrue([for rule in local.lifecycle_rules : alltrue([for prefix in rule.prefixes : startswith(prefix, "statebucket/") && endswith(prefix, "/")])])
    error_message = "prefixes begin with the container and end with a slash"
  }
}

run "without_owner_records" {
  command = plan

  variables {
    prefix      = "app/state"
    owner_index = false
  }

  assert {
    condition     = local.tidy_rule.prefixes == ["statebucket/app/state/tenants/"]
    error_message = "rules for tenants/ only"
  }
}

run "resource_group_with_a_slash" {
  command         = plan
  expect_failures = [var.resource_group_name]

  variables {
    resource_group_name = "a/b"
  }
}

run "location_that_is_none" {
  command         = plan
  expect_failures = [var.location]

  variables {
    location = "west-europe"
  }
}

run "account_name_with_a_hyphen" {
  command         = plan
  expect_failures = [var.account_name]

  variables {
    account_name = "acme-state"
  }
}

run "container_name_with_two_hyphens" {
  command         = plan
  expect_failures = [var.container_name]

  variables {
    container_name = "acme--state"
  }
}

run "replication_to_another_region" {
  command         = plan
  expect_failures = [var.replication]

  variables {
    replication = "GRS"
  }
}

run "prefix_with_a_quote" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "app' OR true"
  }
}

run "key_that_is_no_url" {
  command         = plan
  expect_failures = [var.customer_managed_key]

  variables {
    customer_managed_key = { key_vault_key_id = "state", user_assigned_identity_id = "id" }
  }
}

run "noncurrent_days_below_one" {
  command         = plan
  expect_failures = [var.noncurrent_days]

  variables {
    noncurrent_days = 0
  }
}

run "soft_delete_too_long" {
  command         = plan
  expect_failures = [var.soft_delete_days]

  variables {
    soft_delete_days = 366
  }
}

run "container_soft_delete_too_long" {
  command         = plan
  expect_failures = [var.container_soft_delete_days]

  variables {
    container_soft_delete_days = 366
  }
}

run "tenant_with_a_slash" {
  command         = plan
  expect_failures = [var.tenant_principal_ids]

  variables {
    tenant_principal_ids = { "acme/snapshots" = { function = "00000000-0000-0000-0000-000000000000" } }
  }
}

run "extra_rule_with_a_hyphen_in_its_id" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "old-logs", prefixes = ["logs/"], expiration_days = 1 }]
  }
}

run "extra_rule_that_does_nothing" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "idle", prefixes = ["logs/"] }]
  }
}

run "extra_rule_without_a_prefix" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "all", prefixes = [], expiration_days = 1 }]
  }
}

run "extra_rules_that_take_no_state" {
  command = plan

  variables {
    extra_lifecycle_rules = [
      { id = "logs", prefixes = ["logs/"], expiration_days = 30 },
      { id = "tagged", prefixes = ["statebucket/"], tags = { temporary = "yes" }, expiration_days = 1 },
    ]
  }

  assert {
    condition     = length(local.unsafe_rules) == 0
    error_message = "neither takes state"
  }
}

run "extra_rule_that_would_expire_state" {
  command = plan

  variables {
    extra_lifecycle_rules = [{ id = "cleanup", prefixes = ["state"], expiration_days = 30 }]
  }

  assert {
    condition     = local.unsafe_rules == ["cleanup"]
    error_message = "a prefix that begins the container's name reaches it"
  }
}

run "extra_rule_with_an_id_of_the_modules" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "statebuckettf${substr(sha256(""), 0, 8)}tidy", prefixes = ["logs/"], noncurrent_days = 1 }]
  }
}

run "extra_rule_without_an_id" {
  command         = plan
  expect_failures = [var.extra_lifecycle_rules]

  variables {
    extra_lifecycle_rules = [{ id = "", prefixes = ["logs/"], expiration_days = 1 }]
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

run "extra_rules_for_a_class" {
  command = plan

  variables {
    extra_lifecycle_rules = [
      { id = "short", prefixes = ["statebucket/tenants/"], tags = { statebucket-ttl = "1024" }, expiration_days = 1 },
      { id = "long", prefixes = ["statebucket/tenants/"], tags = { statebucket-ttl = "4" }, expiration_days = 4 },
    ]
  }

  assert {
    condition     = local.unsafe_rules == ["short"]
    error_message = "a rule that shortens a class takes state"
  }
}

run "tenants_that_are_removed" {
  command = plan

  variables {
    prefix             = "app"
    offboarded_tenants = ["acme", "b~20c.d"]
  }

  assert {
    condition     = length(local.lifecycle_rules) == 14 && alltrue([for rule in local.offboarding_rules : endswith(rule.prefixes[0], "/") && rule.expiration_days == 1])
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

# The lifecycle rules that TTLs need, as data, with no provider: a test reads this file, lets Terraform
# work it out, and holds the result to core/statebucket/lifecycle/rules.py.
locals {
  # What statebucket writes below. Each ends in a slash, so that tenants/ does not reach tenants-old.
  root  = var.prefix == "" ? "" : "${var.prefix}/"
  areas = [for area in var.owner_index ? ["tenants", "shared", "owners"] : ["tenants"] : "${local.root}${area}/"]

  # By these labels statebucket knows that the rules are Terraform's, and for what prefix.
  rule_labels = {
    statebucket-lifecycle = "terraform"
    statebucket-prefix    = substr(sha256(var.prefix), 0, 8)
  }

  # An object's custom time is its expiry. 0 days would do, but the provider drops a zero and with
  # it the condition: the rule would then delete all state. 1 day cannot be lost so.
  ttl_rule = {
    prefixes           = local.areas
    expiration_days    = null
    custom_time_days   = 1
    noncurrent_days    = null
    abort_uploads_days = null
  }

  # What versioning and unfinished uploads leave behind; a rule of Cloud Storage does one thing.
  noncurrent_rule = {
    prefixes           = local.areas
    expiration_days    = null
    custom_time_days   = null
    noncurrent_days    = var.noncurrent_days
    abort_uploads_days = null
  }

  uploads_rule = {
    prefixes           = local.areas
    expiration_days    = null
    custom_time_days   = null
    noncurrent_days    = null
    abort_uploads_days = var.abort_uploads_days
  }

  state_rules     = [local.ttl_rule, local.noncurrent_rule, local.uploads_rule]
  lifecycle_rules = concat(local.state_rules, var.extra_lifecycle_rules)

  # Extra rules that would expire state: those by age that reach an area, or a part of one.
  unsafe_rules = [
    for rule in var.extra_lifecycle_rules : "${rule.expiration_days} days below ${join(", ", rule.prefixes)}"
    if rule.expiration_days != null && anytrue([
      for pair in setproduct(local.areas, rule.prefixes) :
      startswith(pair[0], pair[1]) || startswith(pair[1], pair[0])
    ])
  ]
}

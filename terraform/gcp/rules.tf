# The lifecycle rules that TTLs need, as data without a provider: a test lets Terraform compute them and
# compares the result with core/statebucket/lifecycle/rules.py.
locals {
  # The prefixes of the store's objects. Each ends in a slash, so that tenants/ does not match
  # tenants-old.
  root  = var.prefix == "" ? "" : "${var.prefix}/"
  areas = [for area in var.owner_index ? ["tenants", "shared", "owners"] : ["tenants"] : "${local.root}${area}/"]

  # These labels tell statebucket that Terraform owns the rules, and for which prefix.
  rule_labels = {
    statebucket-lifecycle = "terraform"
    statebucket-prefix    = substr(sha256(var.prefix), 0, 8)
  }

  # An object's custom time is its expiry. 0 days would be enough, but the provider drops a zero and
  # with it the condition, and the rule would then delete all state. The provider keeps a 1.
  ttl_rule = {
    prefixes           = local.areas
    expiration_days    = null
    custom_time_days   = 1
    noncurrent_days    = null
    abort_uploads_days = null
  }

  # Separate rules for replaced versions and for parts of unfinished uploads: a rule has one action.
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

  # Temporary rules that remove whole tenants, as delete_tenant(by="lifecycle") writes them elsewhere;
  # a test compares them with core/statebucket/lifecycle/offboarding.py.
  offboarding_rules = [
    for tenant in var.offboarded_tenants : {
      prefixes           = ["${local.root}tenants/${tenant}/"]
      expiration_days    = 1
      custom_time_days   = null
      noncurrent_days    = null
      abort_uploads_days = null
    }
  ]

  state_rules     = [local.ttl_rule, local.noncurrent_rule, local.uploads_rule]
  lifecycle_rules = concat(local.state_rules, local.offboarding_rules, var.extra_lifecycle_rules)

  # Extra rules that would expire state: those by age that match an area or a part of one.
  unsafe_rules = [
    for rule in var.extra_lifecycle_rules : "${rule.expiration_days} days below ${join(", ", rule.prefixes)}"
    if rule.expiration_days != null && anytrue([
      for pair in setproduct(local.areas, rule.prefixes) :
      startswith(pair[0], pair[1]) || startswith(pair[1], pair[0])
    ])
  ]
}

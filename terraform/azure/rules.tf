# The lifecycle rules that TTLs need, as data without a provider: a test lets Terraform compute them and
# compares the result with core/statebucket/lifecycle/rules.py.
locals {
  # The classes of a TTL in days, and the blob index tag that names a blob's class.
  ttl_classes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
  ttl_tag     = "statebucket-ttl"

  # The prefixes of the store's objects. Each ends in a slash, so that tenants/ does not match
  # tenants-old.
  root  = var.prefix == "" ? "" : "${var.prefix}/"
  areas = [for area in var.owner_index ? ["tenants", "shared", "owners"] : ["tenants"] : "${local.root}${area}/"]

  # A policy's prefixes begin with the container. The names of its rules have letters and digits only.
  rule_prefixes = [for area in local.areas : "${var.container_name}/${area}"]
  rule_id       = "statebuckettf${substr(sha256(var.prefix), 0, 8)}"

  # Azure deletes a blob that was last written more than this many days ago, which is never early.
  ttl_rules = [
    for days in local.ttl_classes : {
      id              = "${local.rule_id}ttl${days}"
      enabled         = true
      prefixes        = local.rule_prefixes
      tags            = { (local.ttl_tag) = tostring(days) }
      expiration_days = days
      noncurrent_days = null
    }
  ]

  # Replaced versions. Azure itself drops unfinished uploads after a week.
  tidy_rule = {
    id              = "${local.rule_id}tidy"
    enabled         = true
    prefixes        = local.rule_prefixes
    tags            = {}
    expiration_days = null
    noncurrent_days = var.noncurrent_days
  }

  # Temporary rules that remove whole tenants, as delete_tenant(by="lifecycle") writes them elsewhere;
  # a test compares them with core/statebucket/lifecycle/offboarding.py.
  offboarding_rules = [
    for tenant in var.offboarded_tenants : {
      id              = "${local.rule_id}offboard${substr(sha256("${local.root}tenants/${tenant}/"), 0, 16)}"
      enabled         = true
      prefixes        = ["${var.container_name}/${local.root}tenants/${tenant}/"]
      tags            = {}
      expiration_days = 1
      noncurrent_days = 1
    }
  ]

  state_rules     = concat(local.ttl_rules, [local.tidy_rule])
  lifecycle_rules = concat(local.state_rules, local.offboarding_rules, var.extra_lifecycle_rules)

  # Extra rules that would expire state: those that match an area or a part of one, regardless of the
  # TTL of the blobs there or earlier than the days of their class. A rule for another tag does not,
  # since statebucket sets no other tag.
  unsafe_rules = [
    for rule in var.extra_lifecycle_rules : rule.id
    if rule.enabled && rule.expiration_days != null && !anytrue([for tag in keys(rule.tags) : tag != local.ttl_tag]) &&
    !try(rule.expiration_days >= tonumber(rule.tags[local.ttl_tag]), false) && anytrue([
      for pair in setproduct(local.rule_prefixes, rule.prefixes) :
      startswith(pair[0], pair[1]) || startswith(pair[1], pair[0])
    ])
  ]
}

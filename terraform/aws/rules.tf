# The lifecycle rules that TTLs need, as data without a provider: a test lets Terraform compute them and
# compares the result with core/statebucket/lifecycle/rules.py.
locals {
  # The classes of a TTL in days, and the object tag that names an object's class.
  ttl_classes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
  ttl_tag     = "statebucket-ttl"

  # The prefixes of the store's objects. Each ends in a slash, so that tenants/ does not match
  # tenants-old.
  root  = var.prefix == "" ? "" : "${var.prefix}/"
  areas = [for area in var.owner_index ? ["tenants", "shared", "owners"] : ["tenants"] : "${local.root}${area}/"]

  # statebucket recognises Terraform's rules by ids that begin with statebucket-tf-. The digest keeps
  # the ids of two prefixes in one bucket apart.
  rule_id = "statebucket-tf-${substr(sha256(var.prefix), 0, 8)}"

  # S3 counts the days from an object's last write, so a class's rule never removes it early.
  ttl_rules = [
    for days in local.ttl_classes : {
      id                     = "${local.rule_id}-ttl-${days}"
      enabled                = true
      prefixes               = local.areas
      tags                   = { (local.ttl_tag) = tostring(days) }
      expiration_days        = days
      expired_delete_markers = false
      noncurrent_days        = null
      abort_uploads_days     = null
    }
  ]

  # Replaced and deleted versions, delete markers, and the parts of unfinished uploads.
  tidy_rule = {
    id                     = "${local.rule_id}-tidy"
    enabled                = true
    prefixes               = local.areas
    tags                   = {}
    expiration_days        = null
    expired_delete_markers = true
    noncurrent_days        = var.noncurrent_days
    abort_uploads_days     = var.abort_uploads_days
  }

  # Temporary rules that remove whole tenants, as delete_tenant(by="lifecycle") writes them elsewhere;
  # a test compares them with core/statebucket/lifecycle/offboarding.py.
  offboarding_rules = [
    for tenant in var.offboarded_tenants : {
      id                     = "${local.rule_id}-offboard-${substr(sha256("${local.root}tenants/${tenant}/"), 0, 16)}"
      enabled                = true
      prefixes               = ["${local.root}tenants/${tenant}/"]
      tags                   = {}
      expiration_days        = 1
      expired_delete_markers = false
      noncurrent_days        = 1
      abort_uploads_days     = 1
    }
  ]

  state_rules     = concat(local.ttl_rules, [local.tidy_rule])
  lifecycle_rules = concat(local.state_rules, local.offboarding_rules, var.extra_lifecycle_rules)

  # Extra rules that would expire state: those that match an area or a part of one, regardless of the
  # TTL of the objects there or earlier than the days of their class. A rule for another tag does not,
  # since statebucket sets no other tag.
  unsafe_rules = [
    for rule in var.extra_lifecycle_rules : rule.id
    if rule.enabled && rule.expiration_days != null && !anytrue([for tag in keys(rule.tags) : tag != local.ttl_tag]) &&
    !try(rule.expiration_days >= tonumber(rule.tags[local.ttl_tag]), false) && anytrue([
      for pair in setproduct(local.areas, rule.prefixes) :
      startswith(pair[0], pair[1]) || startswith(pair[1], pair[0])
    ])
  ]
}

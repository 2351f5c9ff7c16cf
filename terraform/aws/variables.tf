variable "bucket_name" {
  description = "Name of the bucket to create."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits and hyphens. Dots would break TLS host names."
  }
}

variable "prefix" {
  description = "Prefix of all the store's objects, without a slash at either end; empty for the whole bucket."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition = var.prefix == "" || (
      length(var.prefix) <= 256 &&
      can(regex("^[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?(/[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?)*$", var.prefix))
    )
    error_message = "prefix must be at most 256 letters, digits, '-', '_' and inner '.', in segments separated by single slashes, without a slash at either end."
  }
}

variable "owner_index" {
  description = "Whether the store keeps owner records. Set to false for a bucket whose tenants are kept apart by IAM: rules and policies then cover tenants/ only."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket; null for S3's own keys (SSE-S3). State can be written with this key only."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:REGION:ACCOUNT:key/ID. The ARN of an alias does not work in a policy."
  }
}

variable "versioning" {
  description = "Whether S3 keeps replaced and deleted versions for noncurrent_days. Every save of a snapshot is then billed for that long."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days after which a replaced or deleted version is removed."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 3650 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number from 1 to 3650."
  }
}

variable "abort_uploads_days" {
  description = "Days after which an unfinished multipart upload is aborted."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.abort_uploads_days >= 1 && var.abort_uploads_days <= 365 && floor(var.abort_uploads_days) == var.abort_uploads_days
    error_message = "abort_uploads_days must be a whole number from 1 to 365."
  }
}

variable "extra_lifecycle_rules" {
  description = "Further lifecycle rules of the bucket, since a bucket has one set of rules and this module owns it. A rule that would expire state is refused."
  type = list(object({
    id                     = string
    enabled                = optional(bool, true)
    prefixes               = optional(list(string), [""])
    tags                   = optional(map(string), {})
    expiration_days        = optional(number)
    expired_delete_markers = optional(bool, false)
    noncurrent_days        = optional(number)
    abort_uploads_days     = optional(number)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for rule in var.extra_lifecycle_rules : can(regex("^[!-~]([ -~]{0,253}[!-~])?$", rule.id))])
    error_message = "The id of each rule in extra_lifecycle_rules must be 1 to 255 ASCII characters."
  }

  validation {
    condition     = !anytrue([for rule in var.extra_lifecycle_rules : startswith(rule.id, local.rule_id)])
    error_message = "Ids in extra_lifecycle_rules must not begin with ${local.rule_id}, as the module's own do."
  }

  validation {
    condition     = length(distinct(var.extra_lifecycle_rules[*].id)) == length(var.extra_lifecycle_rules)
    error_message = "Each rule in extra_lifecycle_rules must have an id of its own."
  }

  validation {
    condition     = alltrue([for rule in var.extra_lifecycle_rules : length(rule.prefixes) > 0])
    error_message = "Each rule in extra_lifecycle_rules must have a prefix; [\"\"] is the whole bucket."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : anytrue([
        rule.expiration_days != null, rule.expired_delete_markers,
        rule.noncurrent_days != null, rule.abort_uploads_days != null,
      ])
    ])
    error_message = "Each rule in extra_lifecycle_rules must have an action: expiration_days, expired_delete_markers, noncurrent_days or abort_uploads_days."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules :
      length(rule.tags) == 0 || (!rule.expired_delete_markers && rule.abort_uploads_days == null)
    ])
    error_message = "S3 accepts no tags in a rule with expired_delete_markers or abort_uploads_days."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : !(rule.expired_delete_markers && rule.expiration_days != null)
    ])
    error_message = "S3 accepts either expiration_days or expired_delete_markers in a rule, not both."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : alltrue([
        for days in [rule.expiration_days, rule.noncurrent_days, rule.abort_uploads_days] :
        days == null ? true : days >= 1 && floor(days) == days
      ])
    ])
    error_message = "Days in extra_lifecycle_rules must be whole numbers from 1."
  }
}

variable "offboarded_tenants" {
  description = "Tenants that the bucket removes, each written as in its object names: while a tenant is listed here, everything below tenants/NAME/ is permanently deleted a day after it was written. For tenants too large for delete_tenant; take each out again once `delete_tenant(by=\"lifecycle\")` reports that it is done."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for tenant in var.offboarded_tenants : can(regex("^([A-Za-z0-9_-]|~[0-9A-F]{2})(([A-Za-z0-9._-]|~[0-9A-F]{2})*([A-Za-z0-9_-]|~[0-9A-F]{2}))?$", tenant))])
    error_message = "A tenant in offboarded_tenants must be written as in object names: letters, digits, '-', '_' and inner '.', every other byte as ~ and two capital hex digits."
  }

  validation {
    condition     = length(distinct(var.offboarded_tenants)) == length(var.offboarded_tenants)
    error_message = "Each tenant may be in offboarded_tenants once."
  }
}

variable "tenant_tag" {
  description = "Principal tag that names the tenant, for tenant_policy_json."
  type        = string
  default     = "tenant"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.tenant_tag))
    error_message = "tenant_tag must be 1 to 128 letters, digits, '-' and '_'."
  }
}

variable "tenant_owner_records" {
  description = "Whether tenant_policy_json also covers the tenant's own owner records. Its stores then keep them, and a store without a tenant finds the tenant's executions. Read the section on tenants before setting it."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.tenant_owner_records || var.owner_index
    error_message = "tenant_owner_records needs owner_index = true: without owner records there are none to reach."
  }
}

variable "extra_bucket_policy_json" {
  description = "Policy document with statements to add to the bucket policy, since a bucket has only one; null for none. Each Sid must be unique and not one of the module's."
  type        = string
  default     = null

  validation {
    condition     = var.extra_bucket_policy_json == null || can(jsondecode(var.extra_bucket_policy_json).Statement)
    error_message = "extra_bucket_policy_json must be a policy document in JSON, with a Statement."
  }
}

variable "force_destroy" {
  description = "Whether destroying the module also deletes the state in the bucket."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}

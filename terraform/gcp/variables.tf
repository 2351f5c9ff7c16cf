variable "bucket_name" {
  description = "Name of the bucket to create."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.bucket_name)) && !startswith(var.bucket_name, "goog")
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits, '-' and '_', and must not begin with goog."
  }
}

variable "project" {
  description = "Project of the bucket; null for the provider's."
  type        = string
  default     = null
}

variable "location" {
  description = "Region, dual-region or multi-region of the bucket, such as EUROPE-WEST1; preferably the functions' region."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+$", var.location))
    error_message = "location must be a name such as EUROPE-WEST1 or EU."
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
  description = "Whether the store keeps owner records. Set to false for a bucket whose tenants are kept apart by IAM: rules and rights then cover tenants/ only."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_name" {
  description = "Full name of the Cloud KMS key that encrypts new objects; null for Google's own keys. Cloud Storage's service agent must be allowed to use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_name == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key_name))
    error_message = "kms_key_name must have the form projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }
}

variable "versioning" {
  description = "Whether replaced and deleted objects are kept for noncurrent_days. Every save of a snapshot is then billed for that long."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days after which a replaced or deleted object is removed."
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

variable "soft_delete_days" {
  description = "Days that Cloud Storage keeps deleted and replaced objects for recovery: 0 (off) or 7 to 90. Every save of a snapshot is billed for that long."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days)
    error_message = "soft_delete_days must be 0 or a whole number from 7 to 90."
  }
}

variable "extra_lifecycle_rules" {
  description = "Further lifecycle rules of the bucket, since a bucket has one set of rules and this module owns it. Each rule has one action. A rule that would expire state is refused."
  type = list(object({
    prefixes           = optional(list(string), [""])
    expiration_days    = optional(number)
    custom_time_days   = optional(number)
    noncurrent_days    = optional(number)
    abort_uploads_days = optional(number)
  }))
  default  = []
  nullable = false

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : length([
        for days in [rule.expiration_days, rule.custom_time_days, rule.noncurrent_days, rule.abort_uploads_days] :
        days if days != null
      ]) == 1
    ])
    error_message = "Each rule in extra_lifecycle_rules must have exactly one of expiration_days, custom_time_days, noncurrent_days and abort_uploads_days."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : alltrue([
        for days in [rule.expiration_days, rule.custom_time_days, rule.noncurrent_days, rule.abort_uploads_days] :
        days == null ? true : days >= 1 && floor(days) == days
      ])
    ])
    error_message = "Days in extra_lifecycle_rules must be whole numbers from 1: the provider drops a 0, and with it the condition."
  }

  validation {
    condition     = alltrue([for rule in var.extra_lifecycle_rules : length(rule.prefixes) > 0])
    error_message = "Each rule in extra_lifecycle_rules must have a prefix; [\"\"] is the whole bucket."
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

variable "runtime_members" {
  description = "IAM members that use the whole store (serviceAccount:NAME@PROJECT.iam.gserviceaccount.com), keyed by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.runtime_members) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "A member must begin with serviceAccount:, user:, group:, principal: or principalSet:. allUsers is refused."
  }
}

variable "reader_members" {
  description = "IAM members that may read state and the bucket's rules, keyed by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.reader_members) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "A member must begin with serviceAccount:, user:, group:, principal: or principalSet:. allUsers is refused."
  }
}

variable "tenant_members" {
  description = "IAM members that reach one tenant's objects only, keyed by tenant and then by a name of your choice. Their stores are opened with tenant_store_url."
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for tenant in keys(var.tenant_members) : can(regex("^[A-Za-z0-9_-]{1,256}$", tenant))])
    error_message = "A tenant in tenant_members must be 1 to 256 letters, digits, '-' and '_': these are not escaped in object names and cannot leave the tenant's prefix."
  }

  validation {
    condition = alltrue([
      for member in flatten([for members in values(var.tenant_members) : values(members)]) :
      can(regex("^(serviceAccount|user|group|principal|principalSet):", member))
    ])
    error_message = "A member must begin with serviceAccount:, user:, group:, principal: or principalSet:. allUsers is refused."
  }
}

variable "strict_list" {
  description = "Whether runtime_members and reader_members may list only names below the store's prefix; loading an object that does not exist yet may then be AccessDenied. False lets them list the names of all objects in the bucket. Read the section on listing before setting it."
  type        = bool
  default     = false
  nullable    = false
}

variable "strict_tenant_list" {
  description = "The same for tenant_members and their own prefix: true hides the names of other tenants' objects, and a tenant's first load of each execution may then be AccessDenied. False shows each tenant the names of all objects in the bucket, and so the other tenants' ids, executions and keys. Read the section on listing before setting it."
  type        = bool
  default     = false
  nullable    = false
}

variable "force_destroy" {
  description = "Whether destroying the module also deletes the state in the bucket."
  type        = bool
  default     = false
  nullable    = false
}

variable "labels" {
  description = "Labels of the bucket, in addition to the module's own."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.labels), keys(local.rule_labels))) == 0
    error_message = "The labels ${join(" and ", keys(local.rule_labels))} are set by the module."
  }
}

variable "bucket_name" {
  description = "Name of the bucket to create."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.bucket_name)) && !startswith(var.bucket_name, "goog")
    error_message = "A bucket name has 3 to 63 lower-case letters, digits, '-' and '_', and does not begin with goog."
  }
}

variable "project" {
  description = "Project of the bucket; null takes the provider's."
  type        = string
  default     = null
}

variable "location" {
  description = "Region, dual-region or multi-region of the bucket, such as EUROPE-WEST1. Next to the functions is best."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+$", var.location))
    error_message = "A location is a name such as EUROPE-WEST1 or EU."
  }
}

variable "prefix" {
  description = "The part of the bucket that the store keeps to, without a slash at either end; empty for the whole bucket."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition = var.prefix == "" || (
      length(var.prefix) <= 256 &&
      can(regex("^[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?(/[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?)*$", var.prefix))
    )
    error_message = "A prefix is at most 256 letters, digits, '-', '_' and inner '.', in segments parted by single slashes, with no slash at either end."
  }
}

variable "owner_index" {
  description = "Whether the store keeps owner records. False for a bucket whose tenants are kept apart by IAM: then rules and rights cover tenants/ only."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_name" {
  description = "Full name of a Cloud KMS key to encrypt with; null encrypts with Google's own keys. Cloud Storage's service agent must be allowed to use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_name == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key_name))
    error_message = "A key is named projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }
}

variable "versioning" {
  description = "Whether replaced and deleted objects are kept for noncurrent_days. Every save of a hot snapshot is then billed for that long."
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
    error_message = "noncurrent_days is a whole number from 1 to 3650."
  }
}

variable "abort_uploads_days" {
  description = "Days after which an unfinished multipart upload is aborted."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.abort_uploads_days >= 1 && var.abort_uploads_days <= 365 && floor(var.abort_uploads_days) == var.abort_uploads_days
    error_message = "abort_uploads_days is a whole number from 1 to 365."
  }
}

variable "soft_delete_days" {
  description = "Days that Cloud Storage keeps what is deleted or replaced, for recovery: 0 (off) or 7 to 90. Every save of a hot snapshot is billed for that long."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days)
    error_message = "soft_delete_days is 0, or a whole number from 7 to 90."
  }
}

variable "extra_lifecycle_rules" {
  description = "Further lifecycle rules of the bucket, since it has one set of rules and this module owns it. Each does one thing. A rule that would expire state is refused."
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
    error_message = "Each rule in extra_lifecycle_rules has just one of expiration_days, custom_time_days, noncurrent_days and abort_uploads_days."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : alltrue([
        for days in [rule.expiration_days, rule.custom_time_days, rule.noncurrent_days, rule.abort_uploads_days] :
        days == null ? true : days >= 1 && floor(days) == days
      ])
    ])
    error_message = "Days in extra_lifecycle_rules are whole numbers from 1: the provider drops a 0, and with it the condition."
  }

  validation {
    condition     = alltrue([for rule in var.extra_lifecycle_rules : length(rule.prefixes) > 0])
    error_message = "Each rule in extra_lifecycle_rules has a prefix; [\"\"] is the whole bucket."
  }
}

variable "runtime_members" {
  description = "Who uses the whole store, as IAM members (serviceAccount:NAME@PROJECT.iam.gserviceaccount.com) by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.runtime_members) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "A member is serviceAccount:…, user:…, group:…, principal:… or principalSet:…; never allUsers."
  }
}

variable "reader_members" {
  description = "Who may look at state and at the bucket's rules, as IAM members by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.reader_members) : can(regex("^(serviceAccount|user|group|principal|principalSet):", member))])
    error_message = "A member is serviceAccount:…, user:…, group:…, principal:… or principalSet:…; never allUsers."
  }
}

variable "tenant_members" {
  description = "Who may reach one tenant's objects only, as IAM members by tenant and a name of your choice. Their stores are opened with tenant_store_url."
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for tenant in keys(var.tenant_members) : can(regex("^[A-Za-z0-9_-]{1,256}$", tenant))])
    error_message = "A tenant here is of 1 to 256 letters, digits, '-' and '_': those stand for themselves in object names, and cannot leave the tenant's prefix."
  }

  validation {
    condition = alltrue([
      for member in flatten([for members in values(var.tenant_members) : values(members)]) :
      can(regex("^(serviceAccount|user|group|principal|principalSet):", member))
    ])
    error_message = "A member is serviceAccount:…, user:…, group:…, principal:… or principalSet:…; never allUsers."
  }
}

variable "force_destroy" {
  description = "Whether destroying the module deletes the state in the bucket, too."
  type        = bool
  default     = false
  nullable    = false
}

variable "labels" {
  description = "Labels of the bucket, beside the module's own."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.labels), keys(local.rule_labels))) == 0
    error_message = "The labels ${join(" and ", keys(local.rule_labels))} are the module's own."
  }
}

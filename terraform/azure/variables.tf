variable "resource_group_name" {
  description = "Resource group of the storage account; it must exist."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._()-]{1,90}$", var.resource_group_name))
    error_message = "resource_group_name must be 1 to 90 letters, digits and ._()-."
  }
}

variable "location" {
  description = "Region of the storage account, such as westeurope; preferably the functions' region."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9 ]+$", var.location))
    error_message = "location must be a name such as westeurope."
  }
}

variable "account_name" {
  description = "Name of the storage account to create, unique in all of Azure. Lifecycle rules belong to the account, so this module owns the whole account."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.account_name))
    error_message = "account_name must be 3 to 24 lower-case letters and digits."
  }
}

variable "container_name" {
  description = "Name of the container to create."
  type        = string
  default     = "statebucket"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.container_name)) && length(var.container_name) >= 3 && length(var.container_name) <= 63
    error_message = "container_name must be 3 to 63 lower-case letters, digits and single inner hyphens."
  }
}

variable "replication" {
  description = "How the account's data is replicated within its region: LRS or ZRS. Replicas in other regions would be stale."
  type        = string
  default     = "ZRS"
  nullable    = false

  validation {
    condition     = contains(["LRS", "ZRS"], var.replication)
    error_message = "replication must be LRS or ZRS."
  }
}

variable "prefix" {
  description = "Prefix of all the store's blobs, without a slash at either end; empty for the whole container."
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
  description = "Whether the store keeps owner records. Set to false for a container whose tenants are kept apart by role assignments: rules and rights then cover tenants/ only."
  type        = bool
  default     = true
  nullable    = false
}

variable "customer_managed_key" {
  description = "Key that encrypts the account: the versionless ID of a Key Vault key, and the ID of a user-assigned identity that may use it; null for Microsoft's own keys."
  type = object({
    key_vault_key_id          = string
    user_assigned_identity_id = string
  })
  default = null

  validation {
    condition     = var.customer_managed_key == null ? true : startswith(var.customer_managed_key.key_vault_key_id, "https://")
    error_message = "key_vault_key_id must be a URL, https://VAULT.vault.azure.net/keys/NAME."
  }
}

variable "versioning" {
  description = "Whether replaced blobs are kept for noncurrent_days. Every save of a snapshot is then billed for that long."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days from its creation until a replaced version is removed."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 3650 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number from 1 to 3650."
  }
}

variable "soft_delete_days" {
  description = "Days that deleted and replaced blobs are kept for recovery: 0 (off) or 1 to 365. Every save of a snapshot is billed for that long."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.soft_delete_days >= 0 && var.soft_delete_days <= 365 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days must be a whole number from 0 to 365."
  }
}

variable "container_soft_delete_days" {
  description = "Days that a deleted container is kept for recovery: 0 (off) or 1 to 365. It costs nothing until the container is deleted."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.container_soft_delete_days >= 0 && var.container_soft_delete_days <= 365 && floor(var.container_soft_delete_days) == var.container_soft_delete_days
    error_message = "container_soft_delete_days must be a whole number from 0 to 365."
  }
}

variable "public_network_access" {
  description = "Whether the account can be reached on its public endpoint by those with a role; false for private endpoints only."
  type        = bool
  default     = true
  nullable    = false
}

variable "extra_lifecycle_rules" {
  description = "Further lifecycle rules of the account, since an account has one policy and this module owns it. Prefixes begin with a container's name. A rule that would expire state is refused."
  type = list(object({
    id              = string
    enabled         = optional(bool, true)
    prefixes        = list(string)
    tags            = optional(map(string), {})
    expiration_days = optional(number)
    noncurrent_days = optional(number)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for rule in var.extra_lifecycle_rules : can(regex("^[A-Za-z0-9]{1,256}$", rule.id))])
    error_message = "The id of each rule in extra_lifecycle_rules must consist of letters and digits."
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
    condition     = alltrue([for rule in var.extra_lifecycle_rules : rule.expiration_days != null || rule.noncurrent_days != null])
    error_message = "Each rule in extra_lifecycle_rules must have an action: expiration_days or noncurrent_days."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules : alltrue([
        for days in [rule.expiration_days, rule.noncurrent_days] :
        days == null ? true : days >= 1 && floor(days) == days
      ])
    ])
    error_message = "Days in extra_lifecycle_rules must be whole numbers from 1."
  }

  validation {
    condition = alltrue([
      for rule in var.extra_lifecycle_rules :
      length(rule.prefixes) >= 1 && length(rule.prefixes) <= 10 && length(rule.tags) <= 10
    ])
    error_message = "Azure accepts 1 to 10 prefixes and up to 10 tags in a rule of extra_lifecycle_rules."
  }

  validation {
    condition     = length(var.extra_lifecycle_rules) + length(var.offboarded_tenants) <= 88
    error_message = "extra_lifecycle_rules and offboarded_tenants may make 88 rules: Azure accepts 100 in an account, and this module needs 12."
  }
}

variable "offboarded_tenants" {
  description = "Tenants that the account removes, each written as in its object names: while a tenant is listed here, everything below tenants/NAME/ is permanently deleted a day after it was written. For tenants too large for delete_tenant; take each out again once `delete_tenant(by=\"lifecycle\")` reports that it is done."
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

variable "runtime_principal_ids" {
  description = "Object IDs of the principals (such as a function's managed identity) that use the whole store, keyed by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "reader_principal_ids" {
  description = "Object IDs of the principals that may read state, keyed by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tenant_principal_ids" {
  description = "Object IDs of the principals that reach one tenant's blobs only, keyed by tenant and then by a name of your choice. Their stores are opened with tenant_store_url."
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for tenant in keys(var.tenant_principal_ids) : can(regex("^[A-Za-z0-9_-]+$", tenant))])
    error_message = "A tenant in tenant_principal_ids must consist of letters, digits, '-' and '_': these are not escaped in blob names and cannot leave the tenant's prefix."
  }
}

variable "tags" {
  description = "Tags of the storage account."
  type        = map(string)
  default     = {}
  nullable    = false
}

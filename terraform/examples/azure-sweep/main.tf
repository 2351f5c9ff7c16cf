terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.20.0, < 5.0.0"
    }
  }
}

# The storage account of the state has no shared keys. Terraform sets it up through the management plane
# alone: whoever deploys needs no right to blobs or queues, nor a way to a private endpoint.
provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  features {
    storage {
      data_plane_available = false
    }
  }
}

variable "subscription_id" {
  description = "ID of the subscription to deploy to."
  type        = string
}

variable "name" {
  description = "Name of the job, and prefix of the names of its other resources: 3 to 17 lower-case letters and digits."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,17}$", var.name))
    error_message = "name is 3 to 17 lower-case letters and digits."
  }
}

variable "location" {
  description = "Region of the job and the state, such as westeurope."
  type        = string
}

variable "image" {
  description = "A container image in which `pip install 'statebucket[azure,cli]'` was run, and whose entry point is statebucket."
  type        = string
}

variable "schedule" {
  description = "When to sweep, as a cron line in UTC."
  type        = string
  default     = "0 3 * * *"
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
}

resource "azurerm_user_assigned_identity" "sweep" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

module "state" {
  source = "../../azure"

  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  account_name        = "${var.name}state"
  prefix              = "app"

  runtime_principal_ids = {
    sweep = azurerm_user_assigned_identity.sweep.principal_id
  }
}

resource "azurerm_container_app_environment" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

# Replicas of a Container Apps job do not learn their number, so the job is one replica that uses all its
# cores.
resource "azurerm_container_app_job" "sweep" {
  name                         = var.name
  resource_group_name          = azurerm_resource_group.this.name
  location                     = azurerm_resource_group.this.location
  container_app_environment_id = azurerm_container_app_environment.this.id
  replica_timeout_in_seconds   = 21600
  replica_retry_limit          = 3

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.sweep.id]
  }

  schedule_trigger_config {
    cron_expression          = var.schedule
    parallelism              = 1
    replica_completion_count = 1
  }

  template {
    container {
      name   = "sweep"
      image  = var.image
      args   = ["sweep", "--yes", "--json", "--jobs", "4"]
      cpu    = 4
      memory = "8Gi"

      env {
        name  = "STATEBUCKET_URL"
        value = module.state.store_url
      }

      env {
        name  = "AZURE_CLIENT_ID"
        value = azurerm_user_assigned_identity.sweep.client_id
      }
    }
  }
}

output "job" {
  description = "The job; `az containerapp job start` starts a sweep now."
  value       = azurerm_container_app_job.sweep.name
}

output "store_url" {
  description = "The store that is swept."
  value       = module.state.store_url
}

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
  description = "Name of the function app, and prefix of the names of its other resources: 3 to 17 lower-case letters and digits."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,17}$", var.name))
    error_message = "name is 3 to 17 lower-case letters and digits."
  }
}

variable "location" {
  description = "Region of the function and its state, such as westeurope."
  type        = string
}

variable "package" {
  description = "The function's zip: function_app.py, host.json and what `pip install --target .python_packages/lib/site-packages 'statebucket[http]' azure-functions` installs next to them. Deploying it installs nothing."
  type        = string
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
}

resource "azurerm_user_assigned_identity" "function" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

module "state" {
  source = "../../azure"

  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  account_name        = "${var.name}state"
  prefix              = "steps"

  runtime_principal_ids = {
    function = azurerm_user_assigned_identity.function.principal_id
  }
}

# The Functions host keeps its locks and secrets in an account of its own, apart from the state.
resource "azurerm_storage_account" "host" {
  #checkov:skip=CKV_AZURE_33:The host's queues hold no data of the example
  #checkov:skip=CKV_AZURE_59:The host reaches it over its public endpoint, with a role
  #checkov:skip=CKV_AZURE_206:It holds nothing that outlives the region
  #checkov:skip=CKV2_AZURE_1:It holds no data of the example
  #checkov:skip=CKV2_AZURE_33:The host reaches it over its public endpoint, with a role
  #checkov:skip=CKV2_AZURE_38:It holds nothing to recover
  #checkov:skip=CKV2_AZURE_40:Shared keys are off
  #checkov:skip=CKV2_AZURE_41:Without shared keys there are no SAS tokens of the account
  name                            = "${var.name}host"
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  min_tls_version                 = "TLS1_2"
  shared_access_key_enabled       = false
  allow_nested_items_to_be_public = false
  local_user_enabled              = false
}

resource "azurerm_role_assignment" "host" {
  scope                = azurerm_storage_account.host.id
  role_definition_name = "Storage Blob Data Owner"
  principal_id         = azurerm_user_assigned_identity.function.principal_id
}

resource "azurerm_service_plan" "this" {
  #checkov:skip=CKV_AZURE_211:One small worker is enough for an example
  #checkov:skip=CKV_AZURE_212:One small worker is enough for an example
  #checkov:skip=CKV_AZURE_225:One small worker is enough for an example
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = "B1"
}

resource "azurerm_linux_function_app" "step" {
  #checkov:skip=CKV_AZURE_221:Callers come over the public endpoint, with a key
  name                          = var.name
  resource_group_name           = azurerm_resource_group.this.name
  location                      = azurerm_resource_group.this.location
  service_plan_id               = azurerm_service_plan.this.id
  storage_account_name          = azurerm_storage_account.host.name
  storage_uses_managed_identity = true
  https_only                    = true
  zip_deploy_file               = var.package

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.function.id]
  }

  site_config {
    application_stack {
      python_version = "3.12"
    }
  }

  app_settings = {
    # The identity that the SDK and the host use.
    AZURE_CLIENT_ID                 = azurerm_user_assigned_identity.function.client_id
    AzureWebJobsStorage__clientId   = azurerm_user_assigned_identity.function.client_id
    AzureWebJobsStorage__credential = "managedidentity"
    STATEBUCKET_ENGINE              = "http" # no SDK: a small package, a quick cold start
    STATEBUCKET_URL                 = module.state.store_url
    WEBSITE_RUN_FROM_PACKAGE        = "1"
  }

  depends_on = [azurerm_role_assignment.host]
}

output "function_name" {
  description = "The function app; its function step takes {\"tenant_id\": …, \"execution_id\": …}."
  value       = azurerm_linux_function_app.step.name
}

output "store_url" {
  description = "Where the function keeps its state."
  value       = module.state.store_url
}

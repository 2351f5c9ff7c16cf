# Only the rights that the store needs. No built-in role below Owner has the right to blob index tags.
locals {
  blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"

  object_actions = [
    "${local.blobs}/write", "${local.blobs}/add/action", "${local.blobs}/delete",
    "${local.blobs}/tags/read", "${local.blobs}/tags/write",
  ]
}

resource "azurerm_role_definition" "runtime" {
  name        = "statebucket runtime ${var.account_name}"
  scope       = azurerm_storage_account.this.id
  description = "Reads, writes, deletes, lists and tags blobs, for functions that keep state in ${var.account_name}."

  permissions {
    data_actions = concat(["${local.blobs}/read"], local.object_actions)
  }

  assignable_scopes = [azurerm_storage_account.this.id]
}

resource "azurerm_role_assignment" "runtime" {
  for_each = var.runtime_principal_ids

  scope              = azurerm_storage_container.this.id
  role_definition_id = azurerm_role_definition.runtime.role_definition_resource_id
  principal_id       = each.value
  description        = "statebucket: the whole store"
  condition_version  = "2.0"
  condition          = local.state_condition
}

resource "azurerm_role_assignment" "reader" {
  for_each = var.reader_principal_ids

  scope                = azurerm_storage_container.this.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = each.value
  description          = "statebucket: reads state"
  condition_version    = "2.0"
  condition            = local.state_condition
}

# A condition sees a blob's name or, for a listing, the requested prefix. It limits only the actions that
# it names, so it names every action of the role.
locals {
  path_attribute   = "@Resource[${local.blobs}:path]"
  prefix_attribute = "@Request[${local.blobs}:prefix]"
  not_a_list       = "!(ActionMatches{'${local.blobs}/read'} AND SubOperationMatches{'Blob.List'})"

  no_blob_action = join(" AND ", concat(
    ["!(ActionMatches{'${local.blobs}/read'} AND NOT SubOperationMatches{'Blob.List'})"],
    [for action in local.object_actions : "!(ActionMatches{'${action}'})"],
  ))

  path_limit = join(" OR ", [for area in local.areas : "${local.path_attribute} StringStartsWith '${area}'"])

  # The health check of a store with owner records lists its root. If the root is empty the request names no
  # prefix, which a condition cannot express: listings are then not limited.
  list_limit = join(" OR ", concat(
    [for area in local.areas : "${local.prefix_attribute} StringStartsWith '${area}'"],
    var.owner_index ? ["${local.prefix_attribute} StringEquals '${local.root}'"] : [],
  ))
  lists_all = var.owner_index && local.root == ""

  state_condition = join(" AND ", concat(
    ["((${local.no_blob_action}) OR (${local.path_limit}))"],
    local.lists_all ? [] : ["((${local.not_a_list}) OR (${local.list_limit}))"],
  ))
}

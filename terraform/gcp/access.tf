# Who uses the whole store: reads, writes, deletes and lists below its prefixes.
resource "google_storage_bucket_iam_member" "runtime" {
  for_each = var.runtime_members

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = each.value

  condition {
    title       = "statebucket-state"
    description = local.state_description
    expression  = local.state_condition
  }
}

# Who looks at state.
resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.reader_members

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = each.value

  condition {
    title       = "statebucket-state"
    description = local.state_description
    expression  = local.state_condition
  }
}

# Who looks at state also sees the bucket's rules, for check_lifecycle.
resource "google_storage_bucket_iam_member" "reader_rules" {
  for_each = var.reader_members

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.bucketViewer"
  member = each.value
}

# A condition sees an object's name, or, for a listing, the prefix that is asked for.
locals {
  object_path = "projects/_/buckets/${google_storage_bucket.this.name}/objects/"
  list_prefix = "api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\")"

  state_condition = join(" || ", concat(
    [for area in local.areas : "resource.name.startsWith(\"${local.object_path}${area}\")"],
    [for area in local.areas : "${local.list_prefix}.startsWith(\"${area}\")"],
    # The health check of a store with owner records lists its root. Where that is empty, it is what
    # the attribute reads as for every other request: so only on the bucket.
    var.owner_index ? ["resource.type == \"storage.googleapis.com/Bucket\" && ${local.list_prefix} == \"${local.root}\""] : [],
  ))
}

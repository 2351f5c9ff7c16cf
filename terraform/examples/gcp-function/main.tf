terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.8.0, < 9.0.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "project" {
  description = "Project to deploy to."
  type        = string
}

variable "region" {
  description = "Region of the function and its state, such as europe-west1."
  type        = string
}

variable "name" {
  description = "Name of the function, its service account, and, with a suffix, its buckets and the account that builds it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,22}[a-z0-9]$", var.name))
    error_message = "The name must have 6 to 24 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "package" {
  description = "The function's zip: main.py and requirements.txt, which Cloud Build installs."
  type        = string
}

module "state" {
  source = "../../gcp"

  bucket_name = "${var.name}-state"
  project     = var.project
  location    = var.region
  prefix      = "steps"

  runtime_members = {
    function = "serviceAccount:${google_service_account.function.email}"
  }
}

resource "google_service_account" "function" {
  project      = var.project
  account_id   = var.name
  display_name = "Runs ${var.name}"
}

# A new project's default account has no right to build functions; see
# https://cloud.google.com/functions/docs/securing/build-custom-sa
resource "google_service_account" "build" {
  project      = var.project
  account_id   = "${var.name}-build"
  display_name = "Builds ${var.name}"
}

resource "google_project_iam_member" "build" {
  for_each = toset(["roles/artifactregistry.writer", "roles/logging.logWriter"])

  project = var.project
  role    = each.value
  member  = "serviceAccount:${google_service_account.build.email}"
}

# For the code. The state is left out, because a build runs whatever requirements.txt names.
resource "google_project_iam_member" "build_reads" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = "serviceAccount:${google_service_account.build.email}"

  condition {
    title      = "not-the-state"
    expression = "!resource.name.startsWith(\"projects/_/buckets/${var.name}-state\")"
  }
}

resource "google_storage_bucket" "code" {
  #checkov:skip=CKV_GCP_62:The code's bucket is read by the build only
  #checkov:skip=CKV_GCP_78:Each upload has a name of its own
  name                        = "${var.name}-code"
  project                     = var.project
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
}

resource "google_storage_bucket_object" "code" {
  name   = "${filesha256(var.package)}.zip"
  bucket = google_storage_bucket.code.name
  source = var.package
}

resource "google_cloudfunctions2_function" "step" {
  project  = var.project
  name     = var.name
  location = var.region

  build_config {
    runtime         = "python312"
    entry_point     = "handler"
    service_account = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.code.name
        object = google_storage_bucket_object.code.name
      }
    }
  }

  service_config {
    service_account_email = google_service_account.function.email
    available_memory      = "512M"
    timeout_seconds       = 30
    max_instance_count    = 10
    ingress_settings      = "ALLOW_INTERNAL_ONLY"

    environment_variables = {
      STATEBUCKET_URL    = module.state.store_url
      STATEBUCKET_ENGINE = "http" # no SDK: a small package, a quick cold start
    }
  }

  depends_on = [google_project_iam_member.build, google_project_iam_member.build_reads]
}

output "function_name" {
  description = "The function to call with {\"tenant_id\": …, \"execution_id\": …}."
  value       = google_cloudfunctions2_function.step.name
}

output "store_url" {
  description = "Where the function keeps its state."
  value       = module.state.store_url
}

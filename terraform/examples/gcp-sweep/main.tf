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
  description = "Region of the job and the state, such as europe-west1."
  type        = string
}

variable "name" {
  description = "Name of the job, its service accounts, and, with a suffix, of the state's bucket."
  type        = string
}

variable "image" {
  description = "A container image in which `pip install 'statebucket[gcs,cli]'` was run, and whose entry point is statebucket."
  type        = string
}

variable "workers" {
  description = "How many tasks share a sweep. Each learns its part from CLOUD_RUN_TASK_INDEX."
  type        = number
  default     = 20
}

variable "schedule" {
  description = "When to sweep, as a cron line in UTC."
  type        = string
  default     = "0 3 * * *"
}

module "state" {
  source = "../../gcp"

  bucket_name = "${var.name}-state"
  project     = var.project
  location    = var.region
  prefix      = "app"

  runtime_members = {
    sweep = "serviceAccount:${google_service_account.sweep.email}"
  }
}

resource "google_service_account" "sweep" {
  project      = var.project
  account_id   = var.name
  display_name = "Sweeps the state of ${var.name}"
}

resource "google_service_account" "clock" {
  project      = var.project
  account_id   = "${var.name}-clock"
  display_name = "Starts the sweep of ${var.name}"
}

resource "google_cloud_run_v2_job" "sweep" {
  project             = var.project
  name                = var.name
  location            = var.region
  deletion_protection = false

  template {
    task_count  = var.workers
    parallelism = var.workers

    template {
      service_account = google_service_account.sweep.email
      timeout         = "21600s"
      max_retries     = 3

      containers {
        image = var.image
        args  = ["sweep", "--yes", "--json"]

        env {
          name  = "STATEBUCKET_URL"
          value = module.state.store_url
        }

        resources {
          limits = {
            cpu    = "1"
            memory = "512Mi"
          }
        }
      }
    }
  }
}

resource "google_cloud_run_v2_job_iam_member" "clock" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_job.sweep.name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.clock.email}"
}

resource "google_cloud_scheduler_job" "nightly" {
  project   = var.project
  region    = var.region
  name      = var.name
  schedule  = var.schedule
  time_zone = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project}/locations/${var.region}/jobs/${var.name}:run"

    oauth_token {
      service_account_email = google_service_account.clock.email
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.clock]
}

output "job" {
  description = "The job; `gcloud run jobs execute` starts a sweep now."
  value       = google_cloud_run_v2_job.sweep.name
}

output "store_url" {
  description = "The store that is swept."
  value       = module.state.store_url
}

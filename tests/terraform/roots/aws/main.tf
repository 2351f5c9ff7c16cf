# The modules as a platform team would use them, on a local server.
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "endpoint" {
  type = string
}


variable "package" {
  type = string
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "test-access-key"
  secret_key                  = "test-secret-key"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true

  endpoints {
    iam    = var.endpoint
    lambda = var.endpoint
    s3     = var.endpoint
    sts    = var.endpoint
  }
}

# With its defaults.
module "plain" {
  source = "./modules/aws"

  bucket_name = "plain-state"
  prefix      = "app/state"
}

# With every option on, tenants kept apart, and extra rules.
module "tenants" {
  source = "./modules/aws"

  bucket_name   = "tenants-state"
  prefix        = "app/state"
  owner_index   = false
  versioning    = true
  kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  force_destroy = true
  tags          = { team = "platform" }

  offboarded_tenants = ["gone"]

  extra_lifecycle_rules = [
    { id = "logs", prefixes = ["logs/"], expiration_days = 30 },
    { id = "versions", noncurrent_days = 30 },
    { id = "drafts", tags = { kind = "draft" }, expiration_days = 30 },
  ]
}

module "example" {
  source = "./modules/examples/aws-lambda"

  name    = "statebucket-example"
  package = var.package
}

output "plain" {
  value = module.plain
}

output "tenants" {
  value = module.tenants
}

output "example" {
  value = module.example
}

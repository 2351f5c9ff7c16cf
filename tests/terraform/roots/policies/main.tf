# Modules whose policy documents are evaluated; only what the documents depend on is applied.
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

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "test-access-key"
  secret_key                  = "test-secret-key"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true

  endpoints {
    s3  = var.endpoint
    sts = var.endpoint
  }
}

module "plain" {
  source = "./modules/aws"

  bucket_name = "plain-policies"
  prefix      = "app/state"

  extra_bucket_policy_json = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyOutsiders"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = "arn:aws:s3:::plain-policies/outsiders/*"
    }]
  })
}

module "recorded" {
  source = "./modules/aws"

  bucket_name          = "recorded-policies"
  prefix               = "app/state"
  tenant_owner_records = true
}

module "tenants" {
  source = "./modules/aws"

  bucket_name = "tenants-policies"
  prefix      = "app/state"
  owner_index = false
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

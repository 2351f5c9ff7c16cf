terraform {
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.83.0, < 7.0.0"
    }
  }
}

# Region and credentials come from the environment, as for the AWS CLI: AWS_REGION, AWS_PROFILE.

variable "name" {
  description = "Name of the function, its role, and the bucket."
  type        = string
}

variable "package" {
  description = "The function's zip: handler.py and what `pip install --target . 'statebucket[http]'` installs next to it."
  type        = string
}

module "state" {
  source = "../../aws"

  bucket_name = var.name
  prefix      = "steps"
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "state" {
  name   = "state"
  role   = aws_iam_role.function.id
  policy = module.state.runtime_policy_json
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.function.id
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "step" {
  #checkov:skip=CKV_AWS_50:Tracing is the account's choice
  #checkov:skip=CKV_AWS_115:The account's concurrency is enough for an example
  #checkov:skip=CKV_AWS_116:Who invokes it handles failures; nothing invokes an example asynchronously
  #checkov:skip=CKV_AWS_117:S3 is reached without a VPC
  #checkov:skip=CKV_AWS_173:A store URL is no secret
  #checkov:skip=CKV_AWS_272:Code signing is the account's choice
  function_name    = var.name
  role             = aws_iam_role.function.arn
  runtime          = "python3.12"
  handler          = "handler.handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  memory_size      = 512
  timeout          = 30

  environment {
    variables = {
      STATEBUCKET_URL    = module.state.store_url
      STATEBUCKET_ENGINE = "http" # no SDK: a small package, a quick cold start
    }
  }
}

output "function_name" {
  description = "The function to invoke with {\"tenant_id\": …, \"execution_id\": …}."
  value       = aws_lambda_function.step.function_name
}

output "store_url" {
  description = "Where the function keeps its state."
  value       = module.state.store_url
}

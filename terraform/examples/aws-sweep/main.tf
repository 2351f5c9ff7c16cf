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
  description = "Name of the function, the state machine, their roles, and the bucket."
  type        = string
}

variable "package" {
  description = "The function's zip: handler.py and what `pip install --target . 'statebucket[s3]'` installs next to it."
  type        = string
}

variable "parts" {
  description = "How many parts to divide the store into. Each must be small enough for one invocation of 15 minutes."
  type        = number
  default     = 1000

  validation {
    condition     = var.parts >= 1 && var.parts <= 5000 && floor(var.parts) == var.parts
    error_message = "parts must be a whole number from 1 to 5000: the results of all parts must fit into the 256 KiB that Step Functions passes on."
  }
}

variable "workers" {
  description = "How many parts to sweep at a time."
  type        = number
  default     = 50
}

variable "schedule" {
  description = "When to sweep, as an EventBridge Scheduler expression, in UTC."
  type        = string
  default     = "cron(0 3 * * ? *)"
}

module "state" {
  source = "../../aws"

  bucket_name = var.name
  prefix      = "app"
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["lambda", "states", "scheduler"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
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

resource "aws_lambda_function" "sweep" {
  #checkov:skip=CKV_AWS_50:Tracing is the account's choice
  #checkov:skip=CKV_AWS_115:The map bounds how many run at a time
  #checkov:skip=CKV_AWS_116:The state machine handles failures
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
  timeout          = 900

  environment {
    variables = {
      STATEBUCKET_URL = module.state.store_url
      PARTS           = tostring(var.parts)
    }
  }
}

resource "aws_iam_role" "machine" {
  name               = "${var.name}-machine"
  assume_role_policy = data.aws_iam_policy_document.trust["states"].json
}

data "aws_iam_policy_document" "machine" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.sweep.arn]
  }

  # A distributed map runs its items as executions of the same state machine.
  statement {
    actions   = ["states:StartExecution"]
    resources = ["arn:aws:states:*:*:stateMachine:${var.name}"]
  }

  statement {
    actions   = ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"]
    resources = ["arn:aws:states:*:*:execution:${var.name}:*", "arn:aws:states:*:*:execution:${var.name}/*"]
  }
}

resource "aws_iam_role_policy" "machine" {
  name   = "sweep"
  role   = aws_iam_role.machine.id
  policy = data.aws_iam_policy_document.machine.json
}

resource "aws_sfn_state_machine" "sweep" {
  #checkov:skip=CKV_AWS_284:Tracing is the account's choice
  #checkov:skip=CKV_AWS_285:The executions' history is enough for an example
  name     = var.name
  role_arn = aws_iam_role.machine.arn

  definition = jsonencode({
    StartAt = "Divide"
    States = {
      Divide = {
        Type     = "Task"
        Resource = aws_lambda_function.sweep.arn
        Parameters = {
          "run.$" = "$$.Execution.Name"
        }
        Retry = [{
          ErrorEquals = ["States.ALL"]
          MaxAttempts = 3
        }]
        Next = "Sweep"
      }
      Sweep = {
        Type      = "Map"
        ItemsPath = "$.parts"
        ItemSelector = {
          "run.$"  = "$.run"
          "part.$" = "$$.Map.Item.Value"
        }
        MaxConcurrency = var.workers
        ResultPath     = null
        ItemProcessor = {
          ProcessorConfig = {
            Mode          = "DISTRIBUTED"
            ExecutionType = "STANDARD"
          }
          StartAt = "Part"
          States = {
            Part = {
              Type     = "Task"
              Resource = aws_lambda_function.sweep.arn
              Retry = [{
                ErrorEquals = ["States.ALL"]
                MaxAttempts = 3
              }]
              End = true
            }
          }
        }
        End = true
      }
    }
  })

  depends_on = [aws_iam_role_policy.machine]
}

resource "aws_iam_role" "clock" {
  name               = "${var.name}-clock"
  assume_role_policy = data.aws_iam_policy_document.trust["scheduler"].json
}

data "aws_iam_policy_document" "clock" {
  statement {
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.sweep.arn]
  }
}

resource "aws_iam_role_policy" "clock" {
  name   = "start"
  role   = aws_iam_role.clock.id
  policy = data.aws_iam_policy_document.clock.json
}

resource "aws_scheduler_schedule" "nightly" {
  #checkov:skip=CKV_AWS_297:A schedule holds no data
  name                = var.name
  schedule_expression = var.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.sweep.arn
    role_arn = aws_iam_role.clock.arn
  }
}

output "state_machine_arn" {
  description = "The state machine; `aws stepfunctions start-execution` starts a sweep now."
  value       = aws_sfn_state_machine.sweep.arn
}

output "function_name" {
  description = "The function that divides the store and sweeps its parts."
  value       = aws_lambda_function.sweep.function_name
}

output "store_url" {
  description = "The store that is swept."
  value       = module.state.store_url
}

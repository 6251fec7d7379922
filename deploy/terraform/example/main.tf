# A gateway as an ECS task in one account, and two services with their profiles in us-west-2.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  region = "us-west-2"
}

module "gateway" {
  source = "../gateway"

  cost_tags = true
  trust_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

module "checkout" {
  source = "../service"

  service = "checkout"
  models  = ["anthropic.claude-3-5-sonnet-20241022-v2:0", "us.amazon.nova-lite-v1:0"]
  tags    = { team = "payments", cost_center = "cc-42" }
}

module "search" {
  source = "../service"

  service = "search"
  models  = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"]
  tags    = { team = "search" }
}

output "role_arn" {
  description = "What the gateway's task has to run as."
  value       = module.gateway.role_arn
}

output "services_toml" {
  description = "What goes into config/services.toml."
  value       = "${module.checkout.services_toml}\n${module.search.services_toml}"
}

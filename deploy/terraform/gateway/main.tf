# The gateway's role, with the policies of ../../iam that it needs and no others. With gateway_role it is a role that the
# gateway takes on: in another account, or for sessions of services.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  place = {
    partition = data.aws_partition.current.partition
    account   = data.aws_caller_identity.current.account_id
  }

  policies = merge(
    { data-plane = templatefile("${path.module}/../../iam/data-plane.json", local.place) },
    var.discover || var.provision ? { discovery = templatefile("${path.module}/../../iam/discovery.json", local.place) } : {},
    var.provision ? { provisioning = templatefile("${path.module}/../../iam/provisioning.json", local.place) } : {},
    var.cost_tags ? { cost-tags = templatefile("${path.module}/../../iam/cost-tags.json", local.place) } : {},
    var.more_operations ? { more-operations = templatefile("${path.module}/../../iam/more-operations.json", local.place) } : {},
    length(var.roles) + length(var.session_roles) == 0 ? {} : {
      assume-role = jsonencode({
        Version = "2012-10-17"
        Statement = flatten([
          for role in setunion(var.roles, var.session_roles) :
          jsondecode(templatefile("${path.module}/../../iam/assume-role.json", { role = role })).Statement
        ])
      })
    },
    var.secrets_key == null ? {} : { secrets = templatefile("${path.module}/../../iam/secrets.json", { secrets_key = coalesce(var.secrets_key, "none") }) },
    length(var.session_roles) == 0 ? {} : {
      tag-session = jsonencode({
        Version = "2012-10-17"
        Statement = flatten([
          for role in var.session_roles :
          jsondecode(templatefile("${path.module}/../../iam/tag-session.json", { role = role })).Statement
        ])
      })
    },
  )

  gateway_trust = {
    plain    = templatefile("${path.module}/../../iam/trust-gateway.json", { gateway_role = coalesce(var.gateway_role, "nobody") })
    sessions = templatefile("${path.module}/../../iam/trust-gateway-sessions.json", { gateway_role = coalesce(var.gateway_role, "nobody") })
  }

  trust_policy = var.gateway_role == null ? var.trust_policy : local.gateway_trust[var.for_sessions ? "sessions" : "plain"]
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = local.trust_policy
  tags               = var.tags

  lifecycle {
    precondition {
      condition     = (var.trust_policy == null) != (var.gateway_role == null)
      error_message = "Set one of trust_policy and gateway_role: somebody has to take on the role."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}

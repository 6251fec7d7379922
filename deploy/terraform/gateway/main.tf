# The gateway's role, with the policies of ../../iam that it needs and no others. With gateway_role it is a role in another
# account, which the gateway takes on.

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
    length(var.roles) == 0 ? {} : {
      assume-role = jsonencode({
        Version = "2012-10-17"
        Statement = flatten([
          for role in var.roles :
          jsondecode(templatefile("${path.module}/../../iam/assume-role.json", { role = role })).Statement
        ])
      })
    },
  )

  trust_policy = var.gateway_role == null ? var.trust_policy : templatefile(
    "${path.module}/../../iam/trust-gateway.json", { gateway_role = var.gateway_role }
  )
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

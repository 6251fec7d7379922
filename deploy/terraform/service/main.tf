# The application inference profiles of one service, in the provider's region and account.

data "aws_partition" "current" {}

data "aws_region" "current" {}

# Theirs are the ARNs with an account's number in them, so AWS is asked.
data "aws_bedrock_inference_profile" "source" {
  for_each = local.system_defined

  inference_profile_id = each.key
}

locals {
  # A geography in front of vendor and model.
  system_defined = toset([
    for model in var.models : model
    if can(regex("^(us|eu|apac|global|jp|au|ca|sa|us-gov|in|uk)\\.[^.]+\\.", model))
  ])

  foundation_models = "arn:${data.aws_partition.current.partition}:bedrock:${data.aws_region.current.region}::foundation-model"

  sources = {
    for model in var.models : model => (
      contains(local.system_defined, model)
      ? data.aws_bedrock_inference_profile.source[model].inference_profile_arn
      : "${local.foundation_models}/${model}"
    )
  }

  # AWS takes letters, digits and single separators, 64 characters at most; the hash tells apart what looks the same then.
  names = {
    for model in var.models : model => format(
      "%s %s",
      trimsuffix(substr(replace("${var.service} ${model}", "/[^0-9A-Za-z]+/", "-"), 0, 51), "-"),
      substr(sha256("${var.service} ${model}"), 0, 12),
    )
  }
}

resource "aws_bedrock_inference_profile" "this" {
  for_each = var.models

  name = local.names[each.key]

  model_source {
    copy_from = local.sources[each.key]
  }

  tags = merge(var.tags, {
    (var.service_tag) = var.service
    "tollgate:source" = each.key
  })

  lifecycle {
    # AWS cannot change what a profile was copied from: calls go on with the old one until there is another.
    create_before_destroy = true
  }
}

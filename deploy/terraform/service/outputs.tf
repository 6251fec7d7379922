output "profiles" {
  description = "The profiles' ARNs, by what they were copied from."
  value       = { for model, profile in aws_bedrock_inference_profile.this : model => profile.arn }
}

output "services_toml" {
  description = "The service as services.toml has it; with catalog.discover, the tags alone will do."
  value = join("\n", concat(
    ["[services.${jsonencode(var.service)}]"],
    length(var.tags) == 0 ? [] : [
      "tags = { ${join(", ", [for key, value in var.tags : "${jsonencode(key)} = ${jsonencode(value)}"])} }"
    ],
    ["", "[services.${jsonencode(var.service)}.profiles]"],
    [for model, profile in aws_bedrock_inference_profile.this : "${jsonencode(model)} = ${jsonencode(profile.arn)}"],
    [""],
  ))
}

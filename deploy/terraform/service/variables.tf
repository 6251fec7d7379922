variable "service" {
  description = "The service's name, as in services.toml."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{0,62}$", var.service)) && !contains(["unknown", "other", "none"], var.service)
    error_message = "A service's name is 1 to 63 of a-z 0-9 . _ -, starting with a letter or digit, and none of unknown, other, none."
  }
}

variable "models" {
  description = "What it is to have a profile of: ids of foundation models (anthropic.claude-3-5-sonnet-20241022-v2:0) and of system-defined profiles (us.amazon.nova-lite-v1:0)."
  type        = set(string)

  validation {
    condition     = length(var.models) > 0 && alltrue([for model in var.models : can(regex("^[A-Za-z0-9._:-]{1,256}$", model))])
    error_message = "Name at least one model by its id, not by an ARN: 1 to 256 of A-Z a-z 0-9 . _ : -."
  }
}

variable "tags" {
  description = "The service's own tags, by which AWS's bill splits as well once they are activated; services.toml should have the same."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 48
    error_message = "With those that name service and source, a profile takes 48 tags."
  }

  validation {
    condition = alltrue([
      for key, value in var.tags :
      can(regex("^[A-Za-z0-9 ._:/=+@-]{1,128}$", key)) && can(regex("^[A-Za-z0-9 ._:/=+@-]{0,256}$", value))
      && !can(regex("^(?i)(aws|tollgate):", key))
    ])
    error_message = "A tag's key is 1 to 128, its value up to 256, of A-Z a-z 0-9 . _ : / = + @ - and spaces; no key of yours may begin with aws: or tollgate:."
  }
}

variable "service_tag" {
  description = "The key of the tag that names the service (catalog.service_tag)."
  type        = string
  default     = "Service"

  validation {
    condition     = can(regex("^[A-Za-z0-9 ._:/=+@-]{1,128}$", var.service_tag)) && !can(regex("^(?i)(aws|tollgate):", var.service_tag))
    error_message = "A tag's key is 1 to 128 of A-Z a-z 0-9 . _ : / = + @ - and spaces, and does not begin with aws: or tollgate:."
  }
}

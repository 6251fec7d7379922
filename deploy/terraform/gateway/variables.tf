variable "name" {
  description = "The role's name."
  type        = string
  default     = "tollgate"

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.name))
    error_message = "A role's name is 1 to 64 of A-Z a-z 0-9 _ + = , . @ -."
  }
}

variable "trust_policy" {
  description = "Who may take on the role, as a JSON policy: the task, pod or instance that the gateway runs as. Not together with gateway_role."
  type        = string
  default     = null

  validation {
    condition     = var.trust_policy == null || can(jsondecode(var.trust_policy).Statement)
    error_message = "The trust policy has to be a JSON policy document with a Statement."
  }
}

variable "gateway_role" {
  description = "Of a role that the gateway takes on, in another account or for sessions of services: the ARN of the gateway's own role. Not together with trust_policy."
  type        = string
  default     = null

  validation {
    condition     = var.gateway_role == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.gateway_role))
    error_message = "gateway_role has to be the ARN of a role: arn:aws:iam::<12-digit account>:role/<name>."
  }
}

variable "discover" {
  description = "Whether it reads which profiles there are: for catalog.discover, `tollgate profiles` and `tollgate check --aws`."
  type        = bool
  default     = true
}

variable "provision" {
  description = "Whether it makes, tags and deletes profiles: for `tollgate profiles apply` and unmapped_model = \"provision\"."
  type        = bool
  default     = false
}

variable "cost_tags" {
  description = "Whether it activates cost allocation tags; of use in an organization's management account, or outside of any."
  type        = bool
  default     = false
}

variable "more_operations" {
  description = "Whether services may use guardrails and read asynchronous invocations (allowed_operations)."
  type        = bool
  default     = false
}

variable "secrets_key" {
  description = "The ARN of the KMS key that has encrypted the secrets key of sigv4 keys (identity.secrets_key_file)."
  type        = string
  default     = null

  validation {
    condition     = var.secrets_key == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.secrets_key))
    error_message = "secrets_key has to be the ARN of a KMS key: arn:aws:kms:<region>:<12-digit account>:key/<id>."
  }
}

variable "roles" {
  description = "The ARNs of roles in other accounts that it takes on (upstream.roles)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for role in var.roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", role))])
    error_message = "Each has to be the ARN of a role: arn:aws:iam::<12-digit account>:role/<name>."
  }
}

variable "session_roles" {
  description = "The ARNs of roles that it signs services' calls with, in sessions that bear the services' names and tags (a service's session_role_arn)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for role in var.session_roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", role))])
    error_message = "Each has to be the ARN of a role: arn:aws:iam::<12-digit account>:role/<name>."
  }
}

variable "for_sessions" {
  description = "With gateway_role: whether this is a role for session_role_arn of services, whose sessions have tags."
  type        = bool
  default     = false
}

variable "tags" {
  description = "The role's tags."
  type        = map(string)
  default     = {}
}

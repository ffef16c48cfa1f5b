variable "name" {
  type        = string
  description = "Prefix of everything that is made; the same in all modules of an installation."
  default     = "caisson"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name has 2 to 20 characters of a-z, 0-9 and -, begins with a letter and does not end with -: it is part of bucket names."
  }
}

variable "container_insights" {
  type        = string
  description = "Container Insights: `enhanced` (with task-level metrics), `enabled` or `disabled`."
  default     = "enhanced"
  nullable    = false

  validation {
    condition     = contains(["enhanced", "enabled", "disabled"], var.container_insights)
    error_message = "container_insights is enhanced, enabled or disabled."
  }
}

variable "default_strategy" {
  type = object({
    base    = optional(number, 0)
    fargate = optional(number, 1)
    spot    = optional(number, 0)
  })
  description = "Where tasks run when RunTask names neither launch type nor strategy: the first `base` tasks on Fargate, the others by the weights `fargate` and `spot`. A task on Spot can be interrupted at any time (exit code 143, retryable)."
  default     = {}
  nullable    = false

  validation {
    condition = (
      var.default_strategy.fargate + var.default_strategy.spot > 0 &&
      alltrue([for n in values(var.default_strategy) : n >= 0 && n <= 1000 && floor(n) == n])
    )
    error_message = "base and the weights are whole numbers from 0 to 1000, and one weight is above 0."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the ephemeral storage of the tasks; without it AWS uses one of its own."
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (an alias will not do)."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything that can have tags, beside those of the provider (`default_tags`)."
  default     = {}
  nullable    = false
}

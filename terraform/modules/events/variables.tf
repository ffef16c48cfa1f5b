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

variable "cluster_arn" {
  type        = string
  description = "The cluster whose tasks are followed: `arn` of module cluster."
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:cluster/.+$", var.cluster_arn))
    error_message = "cluster_arn is the ARN of a cluster."
  }
}

variable "builders" {
  type = map(object({
    family         = string
    container_name = string
    profile        = optional(string)
    log_group      = string
  }))
  description = "Output `builder` of each call of module builder, by a short name."
  nullable    = false

  validation {
    condition     = length(var.builders) >= 1 && length(var.builders) <= 12 && alltrue([for b in keys(var.builders) : can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", b))])
    error_message = "builders are 1 to 12, and their names have up to 40 characters of a-z, 0-9 and -."
  }
}

variable "consumers" {
  type = map(object({
    builder          = string
    target_arn       = optional(string)
    envelope         = optional(bool, true)
    project_index    = number
    deployment_index = number
    http = optional(object({
      connection_arn = string
      endpoint       = string
      method         = optional(string, "PUT")
    }))
  }))
  description = "Who waits for jobs of a builder with a profile, and learns of a lost one in the words of that system: an SQS queue or a standard SNS topic (`target_arn`), or an HTTPS endpoint (`http`; a `*` in `endpoint` is the deployment's id; the connection holds the credentials). `envelope`: a queue gets the message as SNS wraps it, for one that is subscribed without raw delivery. `project_index`, `deployment_index`: where the ids stand, from 0 on, among the variables of the RunTask call."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for c in values(var.consumers) : try(contains(["blacktree", "deployra", "vercel-clone", "veren-frontend", "veren-backend"], var.builders[c.builder].profile), false)])
    error_message = "A consumer's builder is one of `builders`, and has a profile."
  }
  validation {
    condition     = alltrue([for c in values(var.consumers) : (c.target_arn == null) != (c.http == null)])
    error_message = "A consumer has either target_arn or http."
  }
  validation {
    condition     = alltrue([for c in values(var.consumers) : c.target_arn == null || can(regex("^arn:aws[a-z-]*:(sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+([.]fifo)?|sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)$", c.target_arn))])
    error_message = "target_arn is the ARN of a queue or of a standard topic: EventBridge sends to no FIFO topic, so name the FIFO queue that is subscribed to it."
  }
  validation {
    condition     = alltrue([for c in values(var.consumers) : c.http == null || try(startswith(c.http.endpoint, "https://") && contains(["POST", "PUT", "PATCH"], c.http.method) && length(split("*", c.http.endpoint)) <= 2, false)])
    error_message = "http.endpoint begins with https:// and has one * at most; http.method is POST, PUT or PATCH."
  }
  validation {
    condition     = alltrue(flatten([for c in values(var.consumers) : [for i in [c.project_index, c.deployment_index] : i >= 0 && i < 200 && floor(i) == i]]))
    error_message = "project_index and deployment_index are whole numbers from 0 on."
  }
  validation {
    condition     = alltrue([for n in keys(var.consumers) : can(regex("^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$", n))])
    error_message = "The name of a consumer has up to 24 characters of a-z, 0-9 and -."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The permissions boundary of module iam. The role that calls HTTPS endpoints carries it; needed for consumers with `http` alone."
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of a policy."
  }
  validation {
    condition     = var.permissions_boundary_arn != null || alltrue([for c in values(var.consumers) : c.http == null])
    error_message = "A consumer with http needs permissions_boundary_arn: no role is made without a boundary."
  }
}

variable "lost_topic_arns" {
  type        = map(string)
  description = "Standard SNS topics that get `job.lost` too, by a short name; their policy must let EventBridge publish."
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.lost_topic_arns) <= 3 && alltrue([for a in values(var.lost_topic_arns) : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", a))])
    error_message = "lost_topic_arns are up to three ARNs of standard topics: EventBridge sends to no FIFO topic."
  }
}

variable "alarm_topic_arns" {
  type        = list(string)
  description = "SNS topics that alarms go to; their policy must let CloudWatch publish. Without any a topic NAME-alarms is made."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", a))])
    error_message = "alarm_topic_arns are ARNs of standard topics."
  }
}

variable "platform_failures" {
  type        = number
  description = "Alarm when so many jobs of 15 minutes end in what is not the tenant's (credentials, platform, sandbox-lost, internal)."
  default     = 3
  nullable    = false

  validation {
    condition     = var.platform_failures >= 1 && floor(var.platform_failures) == var.platform_failures
    error_message = "platform_failures is a whole number, 1 at least."
  }
}

variable "failure_percent" {
  type        = number
  description = "Alarm when so many of a hundred jobs of an hour fail, of ten jobs at least. Null: none, since failing builds are the tenants'."
  default     = null

  validation {
    condition     = var.failure_percent == null || try(var.failure_percent > 0 && var.failure_percent < 100, false)
    error_message = "failure_percent is between 0 and 100."
  }
}

variable "retention_days" {
  type        = number
  description = "For how many days the queues keep what nobody takes, 1 to 14."
  default     = 4
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 14 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days is a whole number from 1 to 14."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts queues and topic; its policy must let EventBridge and CloudWatch use it. Without it SQS uses a key of its own."
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

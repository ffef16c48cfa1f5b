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

variable "buckets" {
  type        = list(string)
  description = "Names of the buckets that tasks may use at all: `artifacts_bucket` and `state_bucket` of module storage, or what an existing system has."
  nullable    = false

  validation {
    condition     = length(var.buckets) > 0 && alltrue([for b in var.buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", b))])
    error_message = "buckets are names of buckets, one at least, without wildcards."
  }
}

variable "repositories" {
  type        = list(string)
  description = "Names of ECR repositories of an existing system that tasks may push to, beside NAME/apps/*, and that images of builders may come from, beside NAME/builders/*; they may end with /*."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for r in var.repositories : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*(/\\*)?$", r))])
    error_message = "repositories are names of ECR, in lower case, or such a name with /* behind it."
  }
}

variable "secret_arns" {
  type        = list(string)
  description = "SSM parameters and secrets of this account that tasks may read, beside those at NAME/*; they may end with *."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.secret_arns : can(regex("^arn:aws[a-z-]*:(ssm:[a-z0-9-]+:[0-9]{12}:parameter/.|secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.)[^*?]*\\*?$", a))])
    error_message = "secret_arns are ARNs of SSM parameters or secrets, with no wildcard but one at the end."
  }
}

variable "topic_arns" {
  type        = list(string)
  description = "SNS topics of this account that jobs may report to, beside those of `builder_roles`; they may end with *."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+\\*?$", a))])
    error_message = "topic_arns are ARNs of SNS topics, with no wildcard but one at the end of a name."
  }
}

variable "queue_arns" {
  type        = list(string)
  description = "SQS queues of this account that jobs may report to, beside those of `builder_roles`; they may end with *."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.queue_arns : can(regex("^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+\\*?$", a))])
    error_message = "queue_arns are ARNs of SQS queues, with no wildcard but one at the end of a name."
  }
}

variable "event_bus_arns" {
  type        = list(string)
  description = "EventBridge buses of this account that jobs may report to, beside those of `builder_roles`; they may end with *."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.event_bus_arns : can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9_./-]+\\*?$", a))])
    error_message = "event_bus_arns are ARNs of EventBridge buses, with no wildcard but one at the end of a name."
  }
}

variable "log_group_names" {
  type        = list(string)
  description = "Log groups of this account and region that jobs may write to themselves, beside /NAME/*; they may end with *."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for n in var.log_group_names : can(regex("^[A-Za-z0-9_./#-]{1,511}\\*?$", n))])
    error_message = "log_group_names are names of log groups, with no wildcard but one at the end."
  }
}

variable "notify_kms_key_arns" {
  type        = list(string)
  description = "Keys of your own that encrypt topics and queues that jobs report to. Roles use them through SNS and SQS only."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.notify_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", a))])
    error_message = "notify_kms_key_arns are ARNs of keys (an alias will not do), without wildcards."
  }
}

variable "pull_accounts" {
  type        = set(string)
  description = "Other accounts whose ECR the images of tasks may come from. Everything else of other accounts is denied."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.pull_accounts : can(regex("^[0-9]{12}$", a))])
    error_message = "An account is a number of 12 digits."
  }
}

variable "pull_role_arns" {
  type        = set(string)
  description = "Roles of this account that tasks may assume to pull private base images (`image.pull_auth.role`): give them the right to pull and no other. No task can assume any other role."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.pull_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", a))])
    error_message = "pull_role_arns are ARNs of roles, without wildcards."
  }
  validation {
    condition     = alltrue([for a in var.pull_role_arns : !can(regex(":role/${var.name}/", a))])
    error_message = "A role below /NAME/ is a task's, and none of those is another's to assume: make one for pulling at another path."
  }
}

variable "builder_roles" {
  type = map(object({
    artifacts_bucket    = optional(string)
    artifacts_prefixes  = optional(list(string), ["__outputs/"])
    state_bucket        = optional(string)
    state_prefixes      = optional(list(string), ["jobs/", "cache/"])
    control_prefixes    = optional(list(string), ["control/"])
    repository          = optional(string, "")
    secrets_path        = optional(string, "")
    topic_arns          = optional(list(string), [])
    queue_arns          = optional(list(string), [])
    event_bus_arns      = optional(list(string), [])
    log_group_names     = optional(list(string), [])
    notify_kms_key_arns = optional(list(string), [])
    pull_role_arns      = optional(list(string), [])
  }))
  description = "A role for each kind of builder, for deployments that are steered by a profile and name no role of their own; what each of these means says module project, and `secrets_path` is for secrets of the operator's file. Such a role reaches all projects and separates none (docs/security.md): prefer module project."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for kind in keys(var.builder_roles) : can(regex("^[a-z][a-z0-9-]{0,18}$", kind))])
    error_message = "A kind of builder has up to 19 characters of a-z, 0-9 and -, and begins with a letter."
  }
  validation {
    condition     = alltrue([for r in var.builder_roles : !startswith("${r.secrets_path}/", "${var.name}/") || length(split("/", r.secrets_path)) > 1])
    error_message = "secrets_path of a kind of builder is not NAME itself: beneath it lie the secrets of all projects."
  }
}

variable "cluster_name" {
  type        = string
  description = "Cluster that the run-task policy is limited to. Default: NAME."
  default     = null

  validation {
    condition     = var.cluster_name == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.cluster_name))
    error_message = "cluster_name is the name of a cluster, without wildcards."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key of buckets, secrets and registry, when it is one of your own. Roles use it through those services only."
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

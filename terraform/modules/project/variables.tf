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

variable "project" {
  type        = string
  description = "The project, as jobs name it (`project`, or a profile's PROJECT_ID)."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", var.project))
    error_message = "project is what a job may call one: up to 128 letters, digits, . _ and -, the first a letter or a digit."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The permissions boundary of module iam (`permissions_boundary_arn`). Every role carries it."
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of a policy: no role is made without a boundary."
  }
}

variable "artifacts_bucket" {
  type        = string
  description = "Name of the bucket that the project publishes to; null: none."
  default     = null

  validation {
    condition     = var.artifacts_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifacts_bucket))
    error_message = "artifacts_bucket is the name of a bucket, without wildcards."
  }
}

variable "artifacts_prefixes" {
  type        = list(string)
  description = "Prefixes in the artifacts bucket that are the project's. Default: `__outputs/PROJECT/`."
  default     = null

  validation {
    condition     = var.artifacts_prefixes == null || try(alltrue([for p in var.artifacts_prefixes : can(regex("^([A-Za-z0-9_][A-Za-z0-9._-]*/)+$", p))]), false)
    error_message = "A prefix is one or more names, each followed by /: without the last one it would match other projects too. None begins with a dot."
  }
}

variable "state_bucket" {
  type        = string
  description = "Name of the bucket of specs, requests to cancel, results, logs and caches; null: none."
  default     = null

  validation {
    condition     = var.state_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket is the name of a bucket, without wildcards."
  }
}

variable "state_prefixes" {
  type        = list(string)
  description = "Prefixes in the state bucket that are the project's. Default: `jobs/PROJECT/` and `cache/PROJECT/`."
  default     = null

  validation {
    condition     = var.state_prefixes == null || try(alltrue([for p in var.state_prefixes : can(regex("^([A-Za-z0-9_][A-Za-z0-9._-]*/)+$", p))]), false)
    error_message = "A prefix is one or more names, each followed by /: without the last one it would match other projects too. None begins with a dot."
  }
}

variable "control_prefixes" {
  type        = list(string)
  description = "Prefixes in the state bucket where jobs of the project look for requests to cancel (`control`): to read, not to write, so that no build takes away the request that ends it. Default: `control/PROJECT/`."
  default     = null

  validation {
    condition     = var.control_prefixes == null || try(alltrue([for p in var.control_prefixes : can(regex("^([A-Za-z0-9_][A-Za-z0-9._-]*/)+$", p))]), false)
    error_message = "A prefix is one or more names, each followed by /: without the last one it would match other projects too. None begins with a dot."
  }
}

variable "repository" {
  type        = string
  description = "Name of the ECR repository for the project's images; it and what lies below it (`NAME/…`) are the project's. Default: `NAME/apps/PROJECT`. Empty: no images."
  default     = null

  validation {
    condition     = var.repository == null || var.repository == "" || can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", var.repository))
    error_message = "repository is a name of ECR: lower case, parts separated by /."
  }
}

variable "repository_created_by" {
  type        = string
  description = "Who creates the repository: `job` (the role may, for specs with `image.create`), `terraform` (this module does) or `nobody` (it is there)."
  default     = "job"
  nullable    = false

  validation {
    condition     = contains(["job", "terraform", "nobody"], var.repository_created_by)
    error_message = "repository_created_by is job, terraform or nobody."
  }
}

variable "repository_lifecycle_policy" {
  type        = string
  description = "Lifecycle policy (JSON) of a repository that this module creates: `application_lifecycle_policy` of module registry."
  default     = null

  validation {
    condition     = var.repository_lifecycle_policy == null || can(jsondecode(var.repository_lifecycle_policy).rules)
    error_message = "repository_lifecycle_policy is JSON with rules."
  }
}

variable "secrets_path" {
  type        = string
  description = "Path of the project's secrets, in SSM (`/PATH/…`) and in Secrets Manager (`PATH/…`). Default: `NAME/PROJECT`. Empty: no secrets."
  default     = null

  validation {
    condition     = var.secrets_path == null || var.secrets_path == "" || can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", var.secrets_path))
    error_message = "secrets_path has no / at its ends, and no wildcards."
  }
}

variable "topic_arns" {
  type        = list(string)
  description = "SNS topics that jobs of the project report to (`notify`: `sns`). They are in `topic_arns` of module iam too, for the boundary; so it is with queues, buses, log groups outside /NAME/ and keys."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", a))])
    error_message = "topic_arns are ARNs of SNS topics, without wildcards."
  }
}

variable "queue_arns" {
  type        = list(string)
  description = "SQS queues that jobs of the project report to (`notify`: `sqs`)."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.queue_arns : can(regex("^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", a))])
    error_message = "queue_arns are ARNs of SQS queues, without wildcards."
  }
}

variable "event_bus_arns" {
  type        = list(string)
  description = "EventBridge buses that jobs of the project report to (`notify`: `eventbridge`)."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.event_bus_arns : can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9_./-]+$", a))])
    error_message = "event_bus_arns are ARNs of event buses, without wildcards."
  }
}

variable "log_group_names" {
  type        = list(string)
  description = "Log groups of this account and region that jobs of the project write to themselves (`notify`: `cloudwatch_logs`). They are there already, and each is one project's: who may write to a group may write to any stream of it."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for n in var.log_group_names : can(regex("^[A-Za-z0-9_./#-]{1,512}$", n))])
    error_message = "log_group_names are names of log groups, no ARNs, without wildcards."
  }
  validation {
    condition     = alltrue([for n in var.log_group_names : !startswith(n, "/${var.name}/builders/") && n != "/${var.name}/flow-logs"])
    error_message = "A job must not write to the log groups of builders or of the network: it could write what looks like another job's."
  }
}

variable "notify_kms_key_arns" {
  type        = list(string)
  description = "Keys of your own that encrypt these topics and queues. The role uses them through SNS and SQS only."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.notify_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", a))])
    error_message = "notify_kms_key_arns are ARNs of keys (an alias will not do), without wildcards."
  }
}

variable "pull_role_arns" {
  type        = list(string)
  description = "Roles that the project's jobs may name as `image.pull_auth.role`, for private base images. They are in `pull_role_arns` of module iam too, for the boundary, and trust this role."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.pull_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", a))])
    error_message = "pull_role_arns are ARNs of roles, without wildcards."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key of the buckets and of the secrets, when it is one of your own. The role uses it through S3, SSM and Secrets Manager only."
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (an alias will not do)."
  }
}

variable "role" {
  type = object({
    name = string
    path = string
  })
  description = "Name and path of the role, where the default will not do (module iam makes the roles of kinds of builders so). Default: NAME-project-PROJECT-REGION, shortened with a hash above 64 characters, at /NAME/projects/."
  default     = null

  validation {
    condition     = var.role == null || can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.role.name))
    error_message = "role.name has up to 64 letters, digits and +=,.@_-."
  }
  validation {
    condition     = var.role == null || can(regex("^/([A-Za-z0-9._-]+/)*$", var.role.path))
    error_message = "role.path begins and ends with /."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything that can have tags, beside those of the provider (`default_tags`)."
  default     = {}
  nullable    = false
}

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

variable "builder" {
  type        = string
  description = "What this builder is called, like `node-20`: the last part of the task definition's family and of the log group."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.builder))
    error_message = "builder has 1 to 40 characters of a-z, 0-9 and -, and neither begins nor ends with -."
  }
}

variable "task_definition" {
  type        = string
  description = "Which document of taskdefs/ it is made from: `node`, `kaniko` (two containers) or `kaniko-single`."
  nullable    = false

  validation {
    condition     = contains(["node", "kaniko", "kaniko-single"], var.task_definition)
    error_message = "task_definition is node, kaniko or kaniko-single."
  }
}

variable "architecture" {
  type        = string
  description = "`X86_64` or `ARM64`; the images must have it."
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture is X86_64 or ARM64."
  }
}

variable "builder_image" {
  type        = string
  description = "Image that builds, with its tag or (better: what is tested is what runs) its digest."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$", var.builder_image)) && can(regex("(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$", var.builder_image))
    error_message = "builder_image is REGISTRY/REPOSITORY with :TAG or @sha256:DIGEST behind it."
  }
}

variable "runner_image" {
  type        = string
  description = "Image of the container that has the credentials, for `task_definition = \"kaniko\"` alone."
  default     = null

  validation {
    condition     = (var.runner_image != null) == (var.task_definition == "kaniko")
    error_message = "runner_image goes with task_definition \"kaniko\", which has two containers, and with no other."
  }
  validation {
    condition     = var.runner_image == null || can(regex("^[a-z0-9.-]+(:[0-9]+)?/.+(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$", var.runner_image))
    error_message = "runner_image is REGISTRY/REPOSITORY with :TAG or @sha256:DIGEST behind it."
  }
}

variable "container_name" {
  type        = string
  description = "Name of the container that receives RunTask's overrides: what an existing worker sends."
  default     = "builder"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.container_name)) && var.container_name != "sandbox"
    error_message = "container_name has letters, digits, _ and -; sandbox is the name of the second container."
  }
}

variable "profile" {
  type        = string
  description = "Profile of an existing system, whose variables make the job; null: a job's spec comes in `CAISSON_JOB`."
  default     = null

  validation {
    condition     = var.profile == null || try(contains(["blacktree", "deployra", "vercel-clone", "veren-frontend", "veren-backend"], var.profile), false)
    error_message = "profile is blacktree, deployra, vercel-clone, veren-frontend or veren-backend."
  }
}

variable "message_env" {
  type        = string
  description = "With a profile: the variable in which RunTask sends the system's queue message, instead of variables of its own."
  default     = null

  validation {
    condition     = var.message_env == null || (can(regex("^[A-Za-z_][A-Za-z0-9_]{0,255}$", var.message_env)) && var.profile != null)
    error_message = "message_env is the name of a variable, and goes with a profile."
  }
}

variable "cpu" {
  type        = number
  description = "CPU units (1024: one vCPU). Default: what the document says. RunTask may override it."
  default     = null

  validation {
    condition     = var.cpu == null || try(contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu), false)
    error_message = "cpu is a size of Fargate: 256, 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "memory" {
  type        = number
  description = "Memory in MiB. Default: what the document says. Of two containers the runner keeps its own, and the sandbox gets the rest."
  default     = null

  validation {
    condition     = var.memory == null || try(var.memory >= 512 && var.memory <= 122880 && floor(var.memory) == var.memory, false)
    error_message = "memory is a whole number of MiB from 512 to 122880."
  }
}

variable "storage" {
  type        = number
  description = "Ephemeral storage in GiB, 21 to 200. Default: what the document says."
  default     = null

  validation {
    condition     = var.storage == null || try(var.storage >= 21 && var.storage <= 200 && floor(var.storage) == var.storage, false)
    error_message = "storage is a whole number of GiB from 21 to 200."
  }
}

variable "execution_role_arn" {
  type        = string
  description = "Role of the ECS agent: `execution_role_arn` of module iam."
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.execution_role_arn))
    error_message = "execution_role_arn is the ARN of a role."
  }
}

variable "task_role_arn" {
  type        = string
  description = "Role of jobs whose RunTask names none (`overrides.taskRoleArn`): a project's, or that of a kind of builder. Null: they have no credentials, which is right where every call names one."
  default     = null

  validation {
    condition     = var.task_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.task_role_arn))
    error_message = "task_role_arn is the ARN of a role."
  }
}

variable "metrics" {
  type        = bool
  description = "One line a job with its metrics (CloudWatch embedded metric format, namespace NAME), for alarms and dashboard of module events."
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  type        = number
  description = "For how many days the logs of jobs are kept."
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of the numbers that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 180, 365, …"
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the log group; its policy must let CloudWatch Logs use it."
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

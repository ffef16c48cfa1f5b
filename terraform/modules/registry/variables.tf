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

variable "builders" {
  type        = set(string)
  description = "Builder images: each gets a repository NAME/builders/BUILDER."
  default     = ["runner", "node", "node-full", "kaniko"]
  nullable    = false

  validation {
    condition     = alltrue([for b in var.builders : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*$", b))])
    error_message = "The name of a builder is lower case: letters and digits, with single . _ or - between them."
  }
}

variable "keep_images" {
  type        = number
  description = "How many images a repository keeps; older ones expire. An image of several architectures counts once for each, and once for itself."
  default     = 60
  nullable    = false

  validation {
    condition     = var.keep_images >= 1 && floor(var.keep_images) == var.keep_images
    error_message = "keep_images is a whole number, 1 at least."
  }
}

variable "untagged_days" {
  type        = number
  description = "After how many days an image of an application without a tag expires."
  default     = 14
  nullable    = false

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days is a whole number, 1 at least."
  }
}

variable "pull_accounts" {
  type        = set(string)
  description = "Other accounts that may pull the builder images."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.pull_accounts : can(regex("^[0-9]{12}$", a))])
    error_message = "An account is a number of 12 digits."
  }
}

variable "creation_template" {
  type        = bool
  description = "A repository-creation template for NAME/apps/: what ECR itself creates there (replication, pull-through) is encrypted and kept like the rest. Repositories that a job creates follow the job's `image.create`."
  default     = true
  nullable    = false
}

variable "force_delete" {
  type        = bool
  description = "Whether `terraform destroy` removes repositories with images in them."
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the images; without it ECR uses one of its own (AES256)."
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

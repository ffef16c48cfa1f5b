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

variable "served_prefix" {
  type        = string
  description = "Prefix of the artifacts bucket beneath which published sites lie, a folder a project. A distribution serves it and nothing else."
  default     = "__outputs/"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_][A-Za-z0-9._-]*/)+$", var.served_prefix))
    error_message = "served_prefix is one or more names, each followed by /; none begins with a dot (.caisson/ holds the state of publishes)."
  }
}

variable "noncurrent_days" {
  type        = number
  description = "For how many days what was overwritten or removed in the artifacts bucket can be brought back."
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days is a whole number, 1 at least."
  }
}

variable "job_days" {
  type        = number
  description = "For how many days the state bucket keeps what lies beneath jobs/ and control/: specs, results, logs, requests to cancel."
  default     = 90
  nullable    = false

  validation {
    condition     = var.job_days >= 1 && floor(var.job_days) == var.job_days
    error_message = "job_days is a whole number, 1 at least."
  }
}

variable "cdn" {
  type = object({
    domain          = optional(string)
    certificate_arn = optional(string)
    rewrite         = optional(bool, true)
    price_class     = optional(string, "PriceClass_100")
  })
  description = "A CloudFront distribution for the published sites (`{}` is enough). Without `domain` a site is at https://DISTRIBUTION/PROJECT/; with it at https://PROJECT.DOMAIN/, which needs a certificate for *.DOMAIN in us-east-1 and a DNS record. `rewrite`: a function that maps host names, and folders to their index.html."
  default     = null

  validation {
    condition     = try(var.cdn.domain, null) == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.cdn.domain))
    error_message = "cdn.domain is a host name in lower case, without *."
  }
  validation {
    condition     = (try(var.cdn.domain, null) == null) == (try(var.cdn.certificate_arn, null) == null)
    error_message = "cdn.domain and cdn.certificate_arn go together."
  }
  validation {
    condition     = try(var.cdn.certificate_arn, null) == null || can(regex("^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/.+$", var.cdn.certificate_arn))
    error_message = "cdn.certificate_arn is the ARN of a certificate in us-east-1: CloudFront takes no other."
  }
  validation {
    condition     = try(var.cdn.domain, null) == null || try(var.cdn.rewrite, true)
    error_message = "cdn.domain needs cdn.rewrite: the function finds the project in the host name."
  }
  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], try(var.cdn.price_class, "PriceClass_100"))
    error_message = "cdn.price_class is PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` removes buckets with objects in them."
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts both buckets; without it S3 uses its own (AES256). Give it to module project too. A distribution can read only what the key policy lets CloudFront decrypt."
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

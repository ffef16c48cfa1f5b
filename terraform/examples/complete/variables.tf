variable "name" {
  type        = string
  description = "Prefix of everything that is made."
  default     = "caisson"
  nullable    = false
}

variable "environment" {
  type        = string
  description = "Value of the tag Environment."
  default     = "production"
  nullable    = false
}

variable "regions" {
  type        = list(string)
  description = "The two regions."
  nullable    = false

  validation {
    condition     = length(var.regions) == 2 && length(distinct(var.regions)) == 2 && alltrue([for r in var.regions : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", r))])
    error_message = "regions are two, like [\"eu-central-1\", \"eu-west-1\"]."
  }
}

variable "cidrs" {
  type        = list(string)
  description = "Addresses of the VPC in each region."
  default     = ["10.128.0.0/16", "10.129.0.0/16"]
  nullable    = false

  validation {
    condition     = length(var.cidrs) == 2
    error_message = "cidrs are two, one for each region."
  }
}

variable "image_tag" {
  type        = string
  description = "Tag of the builder images in the repositories of module registry."
  nullable    = false
}

variable "projects" {
  type        = set(string)
  description = "Projects, each with a role, a prefix, a repository and a path of secrets of its own."
  default     = ["shop", "blog"]
  nullable    = false
}

variable "spot_weight" {
  type        = number
  description = "Of so many tasks beside one on Fargate that RunTask starts without saying where, all run on Spot."
  default     = 0
  nullable    = false
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` removes buckets and repositories with something in them."
  default     = false
  nullable    = false
}

variable "region" {
  type        = string
  description = "Region of the VPC."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region looks like eu-central-1."
  }
}

variable "name" {
  type        = string
  description = "Prefix of everything that is made."
  default     = "caisson"
  nullable    = false
}

variable "vpc_id" {
  type        = string
  description = "The VPC that is there."
  nullable    = false
}

variable "subnet_ids" {
  type        = list(string)
  description = "Its subnets for builds; nothing else should be in them: they get a network ACL."
  nullable    = false
}

variable "public_subnets" {
  type        = bool
  description = "Whether these subnets reach the Internet by addresses of the tasks themselves, not by a NAT gateway."
  default     = false
  nullable    = false
}

variable "builder_image" {
  type        = string
  description = "The node image, with its tag or digest."
  nullable    = false
}

variable "projects" {
  type        = set(string)
  description = "Projects, each with a role and a prefix of its own."
  default     = ["shop"]
  nullable    = false
}

variable "topic_arns" {
  type        = list(string)
  description = "SNS topics that jobs of all projects may tell (`notify` of a spec)."
  default     = []
  nullable    = false
}

variable "queue_arns" {
  type        = list(string)
  description = "SQS queues that jobs of all projects may tell."
  default     = []
  nullable    = false
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` removes buckets with objects in them."
  default     = false
  nullable    = false
}

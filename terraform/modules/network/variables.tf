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

variable "cidr" {
  type        = string
  description = "Addresses of the VPC that is made, /16 to /20. A sixteenth of it is a build subnet."
  default     = "10.128.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("/(1[6-9]|20)$", var.cidr))
    error_message = "cidr is an IPv4 range from /16 to /20, like 10.128.0.0/16."
  }
}

variable "zone_count" {
  type        = number
  description = "In how many availability zones the VPC that is made has subnets: 2 or 3."
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "zone_count is 2 or 3."
  }
}

variable "egress" {
  type        = string
  description = "How builds reach the Internet from the VPC that is made: `nat` (one gateway), `nat-per-zone`, `public-ip` (no gateway; RunTask assigns each task an address) or `none` (endpoints only)."
  default     = "nat"
  nullable    = false

  validation {
    condition     = contains(["nat", "nat-per-zone", "public-ip", "none"], var.egress)
    error_message = "egress is nat, nat-per-zone, public-ip or none."
  }
}

variable "shared_vpc" {
  type = object({
    vpc_id          = string
    subnet_ids      = list(string)
    route_table_ids = optional(list(string), [])
    public          = optional(bool, false)
  })
  description = "A VPC that is there already, in place of one of its own. The subnets are for builds alone: they get our network ACL. `route_table_ids`: those that get an endpoint for S3 (none where the VPC has one). `public`: tasks need an address of their own."
  default     = null

  validation {
    condition     = var.shared_vpc == null || can(regex("^vpc-[0-9a-f]+$", var.shared_vpc.vpc_id))
    error_message = "shared_vpc.vpc_id looks like vpc-0123456789abcdef0."
  }
  validation {
    condition     = var.shared_vpc == null || try(length(var.shared_vpc.subnet_ids) >= 1 && length(var.shared_vpc.subnet_ids) <= 4, false)
    error_message = "shared_vpc.subnet_ids names 1 to 4 subnets."
  }
  validation {
    condition     = var.shared_vpc == null || try(alltrue([for s in var.shared_vpc.subnet_ids : can(regex("^subnet-[0-9a-f]+$", s))]), false)
    error_message = "shared_vpc.subnet_ids look like subnet-0123456789abcdef0."
  }
}

variable "network_acl" {
  type        = bool
  description = "A network ACL on the build subnets that keeps builds away from private addresses: other systems of a shared VPC, peered networks. Without it only the ports are limited."
  default     = true
  nullable    = false
}

variable "egress_ports" {
  type        = list(number)
  description = "TCP ports that builds may reach on the Internet: HTTPS, HTTP and git over SSH. DNS is always there."
  default     = [443, 80, 22]
  nullable    = false

  validation {
    condition     = alltrue([for p in var.egress_ports : p >= 1 && p <= 65535 && floor(p) == p])
    error_message = "A port is a whole number from 1 to 65535."
  }
  validation {
    condition     = contains(var.egress_ports, 443) && length(distinct(var.egress_ports)) == length(var.egress_ports) && length(var.egress_ports) <= 5
    error_message = "egress_ports names 443, by which AWS itself is reached, and up to four others, none of them twice."
  }
}

variable "dns_servers" {
  type        = list(string)
  description = "IPv4 addresses of DNS servers. Without any it is the resolver of the VPC, which no rule can keep away."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for s in var.dns_servers : can(cidrnetmask("${s}/32"))]) && length(var.dns_servers) <= 3
    error_message = "dns_servers are up to three IPv4 addresses."
  }
}

variable "private_destinations" {
  type = list(object({
    cidr = string
    port = number
  }))
  description = "Private addresses that builds may reach all the same: a git server, a package registry, a broker of the profile. Every build can talk to them."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for d in var.private_destinations : can(cidrnetmask(d.cidr)) && d.port >= 1 && d.port <= 65535])
    error_message = "A private destination is {cidr, port}: an IPv4 range and a port."
  }
  validation {
    condition     = length(var.private_destinations) <= 3
    error_message = "At most three private destinations: a network ACL has 20 rules."
  }
}

variable "interface_endpoints" {
  type        = set(string)
  description = "AWS services that are reached by an interface endpoint (each costs by the hour and zone). Default: `ecr.api`, `ecr.dkr`, `logs`, `sts`, `secretsmanager`, `ssm` in a VPC of its own, none in a shared one."
  default     = null

  validation {
    condition     = var.interface_endpoints == null || try(alltrue([for s in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", s)) && s != "s3"]), false)
    error_message = "interface_endpoints are names of services like ecr.api; S3 has its gateway endpoint."
  }
}

variable "readable_buckets" {
  type        = list(string)
  description = "Buckets of others that builds may read through the endpoint for S3, beside the account's own and ECR's layers: registries and mirrors that keep their files in this region's S3, like `quayio-production-s3`."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for b in var.readable_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", b))])
    error_message = "readable_buckets are names of buckets, without wildcards."
  }
}

variable "flow_logs" {
  type = object({
    enabled        = optional(bool, true)
    traffic_type   = optional(string, "ALL")
    retention_days = optional(number, 30)
  })
  description = "Flow logs of the VPC, or of the build subnets of a shared one, in CloudWatch Logs: `traffic_type` ALL, ACCEPT or REJECT."
  default     = {}
  nullable    = false

  validation {
    condition     = contains(["ALL", "ACCEPT", "REJECT"], var.flow_logs.traffic_type)
    error_message = "flow_logs.traffic_type is ALL, ACCEPT or REJECT."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_logs.retention_days)
    error_message = "flow_logs.retention_days is one of the numbers that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 180, 365, …"
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

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the flow logs; its policy must let CloudWatch Logs use it."
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

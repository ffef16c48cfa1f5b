# Everything, in two regions: the folder region/ calls each module once, and is called once for each region with its
# provider. Nothing is shared between the two: roles, buckets and dashboards have the region in their names.

provider "aws" {
  region = var.regions[0]

  default_tags {
    tags = local.tags
  }
}

provider "aws" {
  alias  = "second"
  region = var.regions[1]

  default_tags {
    tags = local.tags
  }
}

locals {
  tags = { Application = var.name, Environment = var.environment, ManagedBy = "terraform" }

  common = {
    name          = var.name
    image_tag     = var.image_tag
    projects      = var.projects
    force_destroy = var.force_destroy
    spot_weight   = var.spot_weight
  }
}

module "first" {
  source = "./region"

  settings = merge(local.common, { cidr = var.cidrs[0] })
}

module "second" {
  source    = "./region"
  providers = { aws = aws.second }

  settings = merge(local.common, { cidr = var.cidrs[1] })
}

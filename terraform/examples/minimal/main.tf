# The least: builds of Node projects in a VPC that is there already. One `terraform apply`, then RunTask with the
# output `run_task`.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Application = var.name, ManagedBy = "terraform" }
  }
}

module "network" {
  source = "../../modules/network"

  name                     = var.name
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  shared_vpc = {
    vpc_id     = var.vpc_id
    subnet_ids = var.subnet_ids
    public     = var.public_subnets
  }
}

module "cluster" {
  source = "../../modules/cluster"

  name = var.name
}

module "storage" {
  source = "../../modules/storage"

  name          = var.name
  force_destroy = var.force_destroy
}

module "iam" {
  source = "../../modules/iam"

  name    = var.name
  buckets = [module.storage.artifacts_bucket, module.storage.state_bucket]

  topic_arns = var.topic_arns
  queue_arns = var.queue_arns
}

module "node" {
  source = "../../modules/builder"

  name               = var.name
  builder            = "node"
  task_definition    = "node"
  builder_image      = var.builder_image
  execution_role_arn = module.iam.execution_role_arn
}

# One for each project: its role is RunTask's `overrides.taskRoleArn`.
module "project" {
  source   = "../../modules/project"
  for_each = var.projects

  name                     = var.name
  project                  = each.key
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  artifacts_bucket         = module.storage.artifacts_bucket
  state_bucket             = module.storage.state_bucket
  repository               = "" # sites have no images
  topic_arns               = var.topic_arns
  queue_arns               = var.queue_arns
}

module "events" {
  source = "../../modules/events"

  name        = var.name
  cluster_arn = module.cluster.arn
  builders    = { node = module.node.builder }
}

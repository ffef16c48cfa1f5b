# An installation whose policies are evaluated by policies/evaluate.mjs: rendered by terraform, with a mocked provider.
# All modules are in it, since every role is to be found, and every resource with its tags.

variable "account" {
  type    = string
  default = "111122223333"
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "partition" {
  type    = string
  default = "aws"
}

locals {
  artifacts  = "caisson-artifacts-${var.account}-${var.region}"
  state      = "caisson-state-${var.account}-${var.region}"
  pull_roles = ["arn:${var.partition}:iam::${var.account}:role/ci/pull"]
  tags       = { Team = "platform" }

  topics     = "arn:${var.partition}:sns:${var.region}:${var.account}"
  queues     = "arn:${var.partition}:sqs:${var.region}:${var.account}"
  buses      = "arn:${var.partition}:events:${var.region}:${var.account}:event-bus"
  notify_key = "arn:${var.partition}:kms:${var.region}:${var.account}:key/11111111-1111-1111-1111-111111111111"
}

module "iam" {
  source              = "../../../terraform/modules/iam"
  buckets             = [local.artifacts, local.state]
  pull_role_arns      = local.pull_roles
  topic_arns          = ["${local.topics}:builds-*"]
  queue_arns          = ["${local.queues}:events"]
  event_bus_arns      = ["${local.buses}/default"]
  log_group_names     = ["/existing/projects/*"]
  notify_kms_key_arns = [local.notify_key]
  builder_roles = {
    node = {
      artifacts_bucket = local.artifacts
      state_bucket     = local.state
      secrets_path     = "caisson/operator"
      topic_arns       = ["${local.topics}:domain-events.fifo"]
      log_group_names  = ["/existing/node"]
    }
    kaniko = { state_bucket = local.state, repository = "caisson/apps", pull_role_arns = local.pull_roles }
  }
  tags = local.tags
}

module "shop" {
  source                   = "../../../terraform/modules/project"
  project                  = "shop"
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  artifacts_bucket         = local.artifacts
  state_bucket             = local.state
  pull_role_arns           = local.pull_roles
  topic_arns               = ["${local.topics}:builds-shop.fifo"]
  event_bus_arns           = ["${local.buses}/default"]
  log_group_names          = ["/caisson/jobs/shop"]
  notify_kms_key_arns      = [local.notify_key]
  tags                     = local.tags
}

# Names no roles for pulling, has a repository that this module makes, and names what the boundary does not have.
module "blog" {
  source                   = "../../../terraform/modules/project"
  project                  = "blog"
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  artifacts_bucket         = local.artifacts
  state_bucket             = local.state
  repository_created_by    = "terraform"
  topic_arns               = ["${local.topics}:somebody-elses"]
  queue_arns               = ["${local.queues}:events", "${local.queues}:somebody-elses"]
  event_bus_arns           = ["${local.buses}/somebody-elses"]
  log_group_names          = ["/existing/projects/blog", "/somebody-elses"]
  notify_kms_key_arns      = ["${substr(local.notify_key, 0, length(local.notify_key) - 1)}2"]
  tags                     = local.tags
}

module "network" {
  source                   = "../../../terraform/modules/network"
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  tags                     = local.tags
}

module "storage" {
  source = "../../../terraform/modules/storage"
  cdn    = {}
  tags   = local.tags
}

module "registry" {
  source        = "../../../terraform/modules/registry"
  pull_accounts = ["444455556666"]
  tags          = local.tags
}

module "cluster" {
  source = "../../../terraform/modules/cluster"
  tags   = local.tags
}

module "builder" {
  source             = "../../../terraform/modules/builder"
  builder            = "clone"
  task_definition    = "node"
  builder_image      = "${module.registry.registry}/caisson/builders/node:20"
  execution_role_arn = module.iam.execution_role_arn
  profile            = "vercel-clone"
  tags               = local.tags
}

module "events" {
  source                   = "../../../terraform/modules/events"
  cluster_arn              = "arn:${var.partition}:ecs:${var.region}:${var.account}:cluster/caisson"
  builders                 = { clone = module.builder.builder }
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  failure_percent          = 50
  consumers = {
    hook = {
      builder          = "clone"
      project_index    = 1
      deployment_index = 2
      http = {
        connection_arn = "arn:${var.partition}:events:${var.region}:${var.account}:connection/api/00000000-0000-0000-0000-000000000000"
        endpoint       = "https://api.example.com/deployments/*"
      }
    }
  }
  tags = local.tags
}

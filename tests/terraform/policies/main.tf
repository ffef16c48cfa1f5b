# An installation whose policies are evaluated by policies/evaluate.mjs: rendered by terraform, with a mocked provider.

variable "region" {
  type    = string
  default = "eu-central-1"
}

locals {
  artifacts = "caisson-artifacts-111122223333-${var.region}"
  state     = "caisson-state-111122223333-${var.region}"
}

module "iam" {
  source  = "../../../terraform/modules/iam"
  buckets = [local.artifacts, local.state]
  builder_roles = {
    node   = { artifacts_bucket = local.artifacts, state_bucket = local.state, topic_arns = ["arn:aws:sns:${var.region}:111122223333:domain-events.fifo"] }
    kaniko = { state_bucket = local.state, repository = "caisson/apps" }
  }
}

module "shop" {
  source                   = "../../../terraform/modules/project"
  project                  = "shop"
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  artifacts_bucket         = local.artifacts
  state_bucket             = local.state
  event_bus_arns           = ["arn:aws:events:${var.region}:111122223333:event-bus/default"]
}

module "network" {
  source                   = "../../../terraform/modules/network"
  permissions_boundary_arn = module.iam.permissions_boundary_arn
}

module "storage" {
  source = "../../../terraform/modules/storage"
  cdn    = {}
}

module "registry" {
  source        = "../../../terraform/modules/registry"
  pull_accounts = ["444455556666"]
}

module "cluster" {
  source = "../../../terraform/modules/cluster"
}

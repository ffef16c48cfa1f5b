locals {
  name   = var.settings.name
  images = { for b, url in module.registry.builder_repository_urls : b => "${url}:${var.settings.image_tag}" }

  # Kind of builder → its task definition. ARM64 is a fifth cheaper.
  builders = {
    node          = { task_definition = "node", image = "node", architecture = "X86_64" }
    node-arm64    = { task_definition = "node", image = "node", architecture = "ARM64" }
    node-full     = { task_definition = "node", image = "node-full", architecture = "X86_64", cpu = 2048, memory = 8192 }
    kaniko        = { task_definition = "kaniko", image = "kaniko", architecture = "X86_64" }
    kaniko-single = { task_definition = "kaniko-single", image = "kaniko", architecture = "X86_64" }

    # of an existing system, whose worker names the container and sends a job as variables
    veren = { task_definition = "node", image = "node-full", architecture = "X86_64", profile = "veren-frontend", container_name = "frontend-builder" }
  }
}

module "network" {
  source = "../../../modules/network"

  name                     = local.name
  cidr                     = var.settings.cidr
  egress                   = "nat"
  permissions_boundary_arn = module.iam.permissions_boundary_arn
}

module "cluster" {
  source = "../../../modules/cluster"

  name             = local.name
  default_strategy = { fargate = 1, spot = var.settings.spot_weight }
}

module "storage" {
  source = "../../../modules/storage"

  name          = local.name
  force_destroy = var.settings.force_destroy
}

module "registry" {
  source = "../../../modules/registry"

  name         = local.name
  force_delete = var.settings.force_destroy
}

module "iam" {
  source = "../../../modules/iam"

  name    = local.name
  buckets = [module.storage.artifacts_bucket, module.storage.state_bucket]
  builder_roles = {
    veren = { artifacts_bucket = module.storage.artifacts_bucket, topic_arns = [aws_sns_topic.domain_events.arn] }
  }

  # Whom projects can be let to tell. The queues by a pattern: who adds a project cannot change the boundary.
  topic_arns = [aws_sns_topic.builds.arn]
  queue_arns = ["${local.queues}:${local.name}-builds-*"]
}

module "builder" {
  source   = "../../../modules/builder"
  for_each = local.builders

  name               = local.name
  builder            = each.key
  task_definition    = each.value.task_definition
  architecture       = each.value.architecture
  builder_image      = local.images[each.value.image]
  runner_image       = each.value.task_definition == "kaniko" ? local.images["runner"] : null
  container_name     = try(each.value.container_name, "builder")
  profile            = try(each.value.profile, null)
  cpu                = try(each.value.cpu, null)
  memory             = try(each.value.memory, null)
  execution_role_arn = module.iam.execution_role_arn
  task_role_arn      = try(each.value.profile, null) == null ? null : module.iam.builder_role_arns["veren"]
}

module "project" {
  source   = "../../../modules/project"
  for_each = var.settings.projects

  name                     = local.name
  project                  = each.key
  permissions_boundary_arn = module.iam.permissions_boundary_arn
  artifacts_bucket         = module.storage.artifacts_bucket
  state_bucket             = module.storage.state_bucket
  topic_arns               = [aws_sns_topic.builds.arn]
  queue_arns               = [aws_sqs_queue.builds[each.key].arn]
}

module "events" {
  source = "../../../modules/events"

  name            = local.name
  cluster_arn     = module.cluster.arn
  builders        = { for b, builder in module.builder : b => builder.builder }
  failure_percent = 50

  consumers = {
    veren = {
      builder          = "veren"
      target_arn       = aws_sqs_queue.domain_events.arn
      project_index    = 4 # of the worker's variables, PROJECT_ID is the fifth
      deployment_index = 5
    }
  }
}

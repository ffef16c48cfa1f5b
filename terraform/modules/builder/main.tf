data "aws_region" "current" {}

locals {
  # Module iam lets RunTask start NAME-* and the agent write to /NAME/*.
  family    = "${var.name}-${var.builder}"
  log_group = "/${var.name}/builders/${var.builder}"

  # The document is the one that `aws ecs register-task-definition --cli-input-json` takes: its holes are named alike
  # for envsubst and for templatefile.
  document = jsondecode(templatefile("${path.module}/../../../taskdefs/${var.task_definition}.json", {
    family             = local.family
    container_name     = var.container_name
    architecture       = var.architecture
    region             = data.aws_region.current.name
    log_group          = local.log_group
    runner_image       = coalesce(var.runner_image, "none")
    builder_image      = var.builder_image
    execution_role_arn = var.execution_role_arn
    task_role_arn      = coalesce(var.task_role_arn, "none")
  }))

  cpu     = var.cpu == null ? tonumber(local.document.cpu) : var.cpu
  memory  = var.memory == null ? tonumber(local.document.memory) : var.memory
  storage = var.storage == null ? local.document.ephemeralStorage.sizeInGiB : var.storage

  # By the command, never by the environment: that is the tenant's too.
  arguments = concat(
    var.profile == null ? [] : ["--profile", var.profile],
    var.message_env == null ? [] : ["--message-env", var.message_env],
    var.metrics ? ["--metrics", var.name] : [],
  )

  # A fixed limit of the runner is subtracted, so that the limits of both containers are the task's memory.
  reserved = length(local.document.containerDefinitions) > 1 ? local.document.containerDefinitions[0].memory : 0

  # through JSON, because the elements differ in type
  containers = [
    for i, c in local.document.containerDefinitions : jsonencode(merge(
      c,
      i == 0 ? { command = concat(c.command, local.arguments) } : {},
      i > 0 ? { memory = local.memory - local.reserved } : {},
    ))
  ]

  # MiB for each number of CPU units: Amazon ECS Developer Guide, "Task size" for Fargate
  sizes = {
    256   = [512, 1024, 2048]
    512   = range(1024, 4097, 1024)
    1024  = range(2048, 8193, 1024)
    2048  = range(4096, 16385, 1024)
    4096  = range(8192, 30721, 1024)
    8192  = range(16384, 61441, 4096)
    16384 = range(32768, 122881, 8192)
  }
}

resource "aws_cloudwatch_log_group" "builder" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_task_definition" "builder" {
  family                   = local.family
  requires_compatibilities = local.document.requiresCompatibilities
  network_mode             = local.document.networkMode
  cpu                      = local.cpu
  memory                   = local.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn
  container_definitions    = "[${join(",", local.containers)}]"
  tags                     = merge(var.tags, { "caisson:builder" = var.builder })

  # ECS makes no log group: a task without one does not start.
  depends_on = [aws_cloudwatch_log_group.builder]

  runtime_platform {
    operating_system_family = local.document.runtimePlatform.operatingSystemFamily
    cpu_architecture        = local.document.runtimePlatform.cpuArchitecture
  }

  ephemeral_storage {
    size_in_gib = local.storage
  }

  dynamic "volume" {
    for_each = local.document.volumes

    content {
      name = volume.value.name
    }
  }

  lifecycle {
    precondition {
      condition     = contains(local.sizes[local.cpu], local.memory)
      error_message = "Fargate has no task of ${local.cpu} CPU units and ${local.memory} MiB."
    }
    precondition {
      condition     = local.reserved == 0 || local.memory - local.reserved >= 1024
      error_message = "${local.memory} MiB leave the sandbox less than 1 GiB: the runner has ${local.reserved} MiB of its own."
    }
  }
}

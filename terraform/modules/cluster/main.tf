# A cluster on Fargate alone. There is no execute_command_configuration: ECS Exec opens a shell inside the task, beside
# the credentials, so no task definition and no role of ours allows it (module iam denies it outright).
resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }

  dynamic "configuration" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      managed_storage_configuration {
        fargate_ephemeral_storage_kms_key_id = configuration.value
      }
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = var.default_strategy.base
    weight            = var.default_strategy.fargate
  }

  dynamic "default_capacity_provider_strategy" {
    for_each = var.default_strategy.spot > 0 ? [var.default_strategy.spot] : []

    content {
      capacity_provider = "FARGATE_SPOT"
      weight            = default_capacity_provider_strategy.value
    }
  }
}

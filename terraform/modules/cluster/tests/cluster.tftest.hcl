# Offline: the provider is asked for its schema only.
mock_provider "aws" {}

run "fargate_and_spot" {
  command = plan

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "the cluster knows Fargate and Fargate Spot, and nothing else"
  }
  assert {
    condition     = [for s in aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy : s.capacity_provider] == ["FARGATE"]
    error_message = "without a word of the operator no task runs on Spot"
  }
  assert {
    condition     = one(aws_ecs_cluster.this.setting).name == "containerInsights" && one(aws_ecs_cluster.this.setting).value == "enhanced"
    error_message = "container insights"
  }
  assert {
    condition     = length(aws_ecs_cluster.this.configuration) == 0
    error_message = "no configuration of ECS Exec"
  }
  assert {
    condition     = output.name == "caisson" && output.capacity_providers == tolist(["FARGATE", "FARGATE_SPOT"])
    error_message = "outputs"
  }
}

run "spot_by_default" {
  command = plan

  variables {
    name               = "ci"
    container_insights = "disabled"
    default_strategy   = { base = 2, fargate = 1, spot = 4 }
    kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    tags               = { team = "platform" }
  }

  assert {
    condition = { for s in aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy : s.capacity_provider => s.weight } == {
      FARGATE = 1, FARGATE_SPOT = 4
    }
    error_message = "weights"
  }
  assert {
    condition     = length(one(aws_ecs_cluster.this.configuration).execute_command_configuration) == 0 && length(one(aws_ecs_cluster.this.configuration).managed_storage_configuration) == 1
    error_message = "the key is for storage; still no ECS Exec"
  }
  assert {
    condition     = aws_ecs_cluster.this.tags == tomap({ team = "platform" }) && aws_ecs_cluster.this.name == "ci"
    error_message = "name and tags"
  }
  assert {
    condition     = [for s in aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy : s.base if s.capacity_provider == "FARGATE"] == [2]
    error_message = "the first tasks run on Fargate"
  }
}

run "mistakes" {
  command = plan

  variables {
    name               = "Caisson"
    container_insights = "on"
    default_strategy   = { fargate = 0 }
    kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:alias/caisson"
  }

  expect_failures = [var.name, var.container_insights, var.default_strategy, var.kms_key_arn]
}

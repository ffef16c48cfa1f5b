mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
}

variables {
  builder            = "node-20"
  task_definition    = "node"
  builder_image      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/caisson/builders/node:20"
  execution_role_arn = "arn:aws:iam::123456789012:role/caisson/execution"
}

run "as_the_document_says" {
  command = plan

  assert {
    condition     = aws_ecs_task_definition.builder.family == "caisson-node-20" && aws_cloudwatch_log_group.builder.name == "/caisson/builders/node-20"
    error_message = "family and log group have names that module iam allows"
  }
  assert {
    condition     = aws_ecs_task_definition.builder.cpu == "1024" && aws_ecs_task_definition.builder.memory == "4096" && aws_ecs_task_definition.builder.ephemeral_storage[0].size_in_gib == 30
    error_message = "sizes come from the document"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command == concat(jsondecode(file("../../../taskdefs/node.json")).containerDefinitions[0].command, ["--metrics", "caisson"])
    error_message = "the command is the document's, and metrics are on"
  }
  assert {
    condition     = aws_ecs_task_definition.builder.task_role_arn == null && aws_ecs_task_definition.builder.runtime_platform[0].cpu_architecture == "X86_64"
    error_message = "no role where none is named"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].logConfiguration.options["awslogs-group"] == "/caisson/builders/node-20" && jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].logConfiguration.options["awslogs-region"] == "eu-central-1"
    error_message = "logs go to the group that is made, in this region"
  }
  assert {
    condition     = aws_ecs_task_definition.builder.network_mode == "awsvpc" && aws_ecs_task_definition.builder.requires_compatibilities == toset(["FARGATE"]) && aws_ecs_task_definition.builder.runtime_platform[0].operating_system_family == "LINUX"
    error_message = "for Fargate"
  }
  assert {
    condition     = aws_ecs_task_definition.builder.execution_role_arn == var.execution_role_arn && aws_cloudwatch_log_group.builder.retention_in_days == 30
    error_message = "the agent's role, and for how long logs stay"
  }
}

run "profile_and_sizes" {
  command = plan

  variables {
    profile        = "veren-frontend"
    container_name = "frontend-builder"
    metrics        = false
    architecture   = "ARM64"
    cpu            = 2048
    memory         = 8192
    storage        = 100
  }

  assert {
    condition     = slice(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command, length(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command) - 2, length(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command)) == ["--profile", "veren-frontend"]
    error_message = "the profile is appended to the command"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].name == "frontend-builder" && output.builder.container_name == "frontend-builder" && output.builder.profile == "veren-frontend"
    error_message = "the container that receives the overrides has the worker's name"
  }
  assert {
    condition     = aws_ecs_task_definition.builder.cpu == "2048" && aws_ecs_task_definition.builder.memory == "8192" && aws_ecs_task_definition.builder.ephemeral_storage[0].size_in_gib == 100 && aws_ecs_task_definition.builder.runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "sizes and architecture"
  }
}

run "message_in_a_variable" {
  command = plan

  variables {
    profile     = "deployra"
    message_env = "JOB"
    metrics     = false
  }

  assert {
    condition     = slice(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command, length(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command) - 4, length(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command)) == ["--profile", "deployra", "--message-env", "JOB"]
    error_message = "the message's variable is named by the command"
  }
}

run "no_name_of_a_variable" {
  command = plan

  variables {
    profile     = "deployra"
    message_env = "A-B"
  }

  expect_failures = [var.message_env]
}

run "a_message_is_a_profiles" {
  command = plan

  variables {
    message_env = "JOB"
  }

  expect_failures = [var.message_env]
}

run "two_containers" {
  command = apply # sets of blocks are known then

  variables {
    builder         = "kaniko"
    task_definition = "kaniko"
    builder_image   = "ghcr.io/example/caisson-kaniko@sha256:0123456789012345678901234567890123456789012345678901234567890123"
    runner_image    = "ghcr.io/example/caisson-runner:1.0"
    profile         = "veren-backend"
    cpu             = 4096
    memory          = 16384
  }

  assert {
    condition     = [for c in jsondecode(aws_ecs_task_definition.builder.container_definitions) : c.memory] == [1024, 15360]
    error_message = "the sandbox gets what the runner leaves"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.builder.container_definitions)[1].command == ["sandbox"] && contains(jsondecode(aws_ecs_task_definition.builder.container_definitions)[0].command, "veren-backend")
    error_message = "the profile is the runner's alone"
  }
  assert {
    condition     = length(aws_ecs_task_definition.builder.volume) == length(jsondecode(file("../../../taskdefs/kaniko.json")).volumes)
    error_message = "volumes of the document"
  }
  assert {
    condition     = alltrue([for c in jsondecode(aws_ecs_task_definition.builder.container_definitions) : !try(c.privileged, false) && !contains(keys(c.linuxParameters.capabilities), "add") && contains(c.linuxParameters.capabilities.drop, "NET_RAW")])
    error_message = "nothing that opens our processes to the build"
  }
}

run "one_container_for_images" {
  command = plan

  variables {
    builder         = "kaniko-single"
    task_definition = "kaniko-single"
    task_role_arn   = "arn:aws:iam::123456789012:role/caisson/builders/kaniko"
    kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = aws_ecs_task_definition.builder.task_role_arn == "arn:aws:iam::123456789012:role/caisson/builders/kaniko" && aws_cloudwatch_log_group.builder.kms_key_id != null
    error_message = "role and key are handed on"
  }
}

run "no_such_size" {
  command = plan

  variables {
    cpu    = 256
    memory = 4096
  }

  expect_failures = [aws_ecs_task_definition.builder]
}

run "mistakes" {
  command = plan

  variables {
    builder            = "Node"
    architecture       = "arm64"
    builder_image      = "registry.example/node"
    runner_image       = "registry.example/runner:1"
    container_name     = "sandbox"
    profile            = "veren"
    cpu                = 1000
    memory             = 100
    storage            = 20
    execution_role_arn = "execution"
    task_role_arn      = "role"
    log_retention_days = 2
    kms_key_arn        = "alias/x"
  }

  expect_failures = [
    var.builder, var.architecture, var.builder_image, var.runner_image, var.container_name, var.profile, var.cpu, var.memory, var.storage,
    var.execution_role_arn, var.task_role_arn, var.log_retention_days, var.kms_key_arn,
  ]
}

run "two_containers_need_two_images" {
  command = plan

  variables {
    builder         = "kaniko"
    task_definition = "kaniko"
  }

  expect_failures = [var.runner_image]
}

run "a_runner_without_a_version" {
  command = plan

  variables {
    builder         = "kaniko"
    task_definition = "kaniko"
    runner_image    = "registry.example/runner"
  }

  expect_failures = [var.runner_image]
}

run "other_mistakes" {
  command = plan

  variables {
    name            = "Caisson"
    task_definition = "docker"
  }

  expect_failures = [var.name, var.task_definition]
}

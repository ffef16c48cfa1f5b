# Offline: the provider is asked for its schema only. What the policies mean is tested in tests/terraform.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/caisson/caisson-boundary-eu-central-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/caisson/some-role" }
  }
}

variables {
  buckets = ["artifacts-bucket", "state-bucket"]
}

run "boundary_and_execution_role" {
  assert {
    condition     = aws_iam_role.execution.permissions_boundary == aws_iam_policy.boundary.arn && output.permissions_boundary_arn == aws_iam_policy.boundary.arn
    error_message = "the execution role carries the boundary too"
  }
  assert {
    condition = jsondecode(aws_iam_role.execution.assume_role_policy).Statement[0].Condition == {
      StringEquals = { "aws:SourceAccount" = "111122223333" }
      ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:eu-central-1:111122223333:*" }
    }
    error_message = "only ECS of this account and region may take the role"
  }
  assert {
    condition     = alltrue([for p in [aws_iam_policy.boundary, aws_iam_policy.run_task, aws_iam_policy.project_admin] : length(p.policy) <= 6144])
    error_message = "IAM takes 6,144 characters"
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_policy.boundary.policy).Statement :
      s.Effect == "Deny" || s.Sid == "Tokens" || !contains(s.Resource, "*")
    ])
    error_message = "what the boundary allows is of this account"
  }
  assert {
    condition     = !strcontains(aws_iam_policy.boundary.policy, "kms:")
    error_message = "no key, no right to one"
  }
  assert {
    condition     = length(setintersection([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Sid], ["Messages", "LogGroups", "KeysOfTopicsAndQueues"])) == 0
    error_message = "nobody is told anything who is not named"
  }
  assert {
    condition     = length(output.builder_role_arns) == 0
    error_message = "roles that do not separate projects are made on request only"
  }
}

run "roles_of_kinds_of_builders" {
  variables {
    builder_roles = {
      node = {
        artifacts_bucket    = "artifacts-bucket"
        topic_arns          = ["arn:aws:sns:eu-central-1:111122223333:events.fifo"]
        event_bus_arns      = ["arn:aws:events:eu-central-1:111122223333:event-bus/builds"]
        log_group_names     = ["/existing/node"]
        notify_kms_key_arns = ["arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111"]
        secrets_path        = "caisson/operator"
      }
      kaniko = { repository = "caisson/apps", pull_role_arns = ["arn:aws:iam::111122223333:role/ci/pull"] }
    }
    pull_role_arns = ["arn:aws:iam::111122223333:role/ci/pull"]
    repositories   = ["veren/*", "legacy"]
    kms_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"

    # what projects have, beside what the kinds of builders have
    topic_arns          = ["arn:aws:sns:eu-central-1:111122223333:builds-*"]
    queue_arns          = ["arn:aws:sqs:eu-west-1:111122223333:builds.fifo"]
    log_group_names     = ["/existing/*"]
    notify_kms_key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/22222222-2222-2222-2222-222222222222"]
  }

  assert {
    condition = { for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Sid => [s.Action, s.Resource] if contains(["Messages", "LogGroups", "KeysOfTopicsAndQueues"], s.Sid) } == {
      Messages = [["events:PutEvents", "sns:Publish", "sqs:SendMessage"], [
        "arn:aws:events:eu-central-1:111122223333:event-bus/builds", "arn:aws:sns:eu-central-1:111122223333:builds-*",
        "arn:aws:sns:eu-central-1:111122223333:events.fifo", "arn:aws:sqs:eu-west-1:111122223333:builds.fifo",
      ]]
      LogGroups = [["logs:CreateLogStream", "logs:PutLogEvents"], [
        "arn:aws:logs:eu-central-1:111122223333:log-group:/existing/*:*", "arn:aws:logs:eu-central-1:111122223333:log-group:/existing/node:*",
      ]]
      KeysOfTopicsAndQueues = [["kms:Decrypt", "kms:GenerateDataKey"], [
        "arn:aws:kms:eu-west-1:111122223333:key/22222222-2222-2222-2222-222222222222",
        "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111",
      ]]
    }
    error_message = "who may be told: what is named for projects, and for kinds of builders"
  }

  assert {
    condition     = keys(output.builder_role_arns) == ["kaniko", "node"]
    error_message = "one for each kind"
  }
  assert {
    condition     = length(aws_iam_policy.boundary.policy) <= 6144 && strcontains(aws_iam_policy.boundary.policy, "repository/veren/*") && strcontains(aws_iam_policy.boundary.policy, "kms:ViaService")
    error_message = "what an existing system has, and the key through its services only"
  }
}

run "images_of_another_account" {
  command = plan
  variables {
    pull_accounts = ["444455556666"]
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Resource if s.Sid == "BuilderImages"] == [["arn:aws:ecr:eu-central-1:111122223333:repository/caisson/builders/*", "arn:aws:ecr:*:444455556666:repository/*"]]
    error_message = "ECS pulls there too"
  }
}

run "no_role_but_those_for_pulling" {
  command = plan
  variables {
    pull_role_arns = ["arn:aws:iam::111122223333:role/ci/pull"]
  }

  assert {
    condition = { for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Sid => try(s.NotResource, s.Resource) if contains(["PullRoles", "NoOtherRole"], s.Sid) } == {
      PullRoles = ["arn:aws:iam::111122223333:role/ci/pull"], NoOtherRole = ["arn:aws:iam::111122223333:role/ci/pull"]
    }
    error_message = "the named role may be assumed, and all others are denied outright"
  }
}

run "no_role_at_all" {
  command = plan

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Sid == "NoOtherIdentity" ? s.Effect == "Deny" && contains(s.Action, "sts:A*") : !contains(try(s.Action, []), "sts:AssumeRole")])
    error_message = "without pull_role_arns no role may be assumed"
  }
}

run "refused_role_of_another_account" {
  command = plan
  variables {
    pull_role_arns = ["arn:aws:iam::999988887777:role/pull"]
  }
  expect_failures = [aws_iam_policy.boundary]
}

run "refused_queue_of_another_account" {
  command = plan
  variables {
    queue_arns = ["arn:aws:sqs:eu-central-1:999988887777:events"]
  }
  expect_failures = [aws_iam_policy.boundary]
}

run "refused_role_of_a_task_for_pulling" {
  command = plan
  variables {
    pull_role_arns = ["arn:aws:iam::111122223333:role/caisson/projects/caisson-project-blog-eu-central-1"]
  }
  expect_failures = [var.pull_role_arns]
}

run "wildcards" {
  command = plan

  variables {
    buckets             = ["*"]
    repositories        = ["*"]
    secret_arns         = ["arn:aws:ssm:eu-central-1:111122223333:*"]
    topic_arns          = ["arn:aws:sns:eu-central-1:111122223333:*"]
    queue_arns          = ["*"]
    event_bus_arns      = ["arn:aws:events:eu-central-1:*:event-bus/default"]
    log_group_names     = ["*"]
    notify_kms_key_arns = ["arn:aws:kms:eu-central-1:111122223333:key/*"]
    pull_accounts       = ["*"]
    pull_role_arns      = ["arn:aws:iam::111122223333:role/*"]
    cluster_name        = "*"
  }

  expect_failures = [
    var.buckets, var.repositories, var.secret_arns, var.topic_arns, var.queue_arns, var.event_bus_arns, var.log_group_names,
    var.notify_kms_key_arns, var.pull_accounts, var.pull_role_arns, var.cluster_name,
  ]
}

run "mistakes" {
  command = plan

  variables {
    name        = "Caisson"
    buckets     = []
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/caisson"
  }

  expect_failures = [var.name, var.buckets, var.kms_key_arn]
}

run "a_kind_of_builder_that_is_none" {
  command = plan

  variables {
    builder_roles = { "Node 20" = {} }
  }

  expect_failures = [var.builder_roles]
}

run "secrets_of_all_projects" {
  command = plan

  variables {
    builder_roles = { node = { secrets_path = "caisson" } }
  }

  expect_failures = [var.builder_roles]
}

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
}

variables {
  project                  = "shop"
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/caisson/caisson-boundary-eu-central-1"
}

run "a_role_and_no_more" {
  command = plan

  assert {
    condition     = aws_iam_role.task.name == "caisson-project-shop-eu-central-1" && aws_iam_role.task.path == "/caisson/projects/"
    error_message = "name and path"
  }
  assert {
    condition     = aws_iam_role.task.permissions_boundary == var.permissions_boundary_arn
    error_message = "the boundary"
  }
  assert {
    condition     = aws_iam_role.task.tags["caisson:project"] == "shop"
    error_message = "tagged with its project"
  }
  assert {
    condition = jsondecode(aws_iam_role.task.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = "111122223333" }
        ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:eu-central-1:111122223333:*" }
      }
    }]
    error_message = "only ECS of this account and region may take the role"
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid] == ["RegistryToken", "Images", "CreateRepositories", "Parameters", "Secrets"]
    error_message = "without buckets there is no statement about S3"
  }
  assert {
    condition     = length(aws_ecr_repository.application) == 0
    error_message = "jobs create the repository"
  }
  assert {
    condition     = output.repository_url == "111122223333.dkr.ecr.eu-central-1.amazonaws.com/caisson/apps/shop" && output.secrets_path == "caisson/shop" && length(output.artifacts) == 0
    error_message = "outputs"
  }
}

run "places_of_the_project" {
  command = plan
  variables {
    artifacts_bucket = "artifacts-bucket"
    state_bucket     = "state-bucket"
  }

  assert {
    condition     = output.artifacts == tolist(["s3://artifacts-bucket/__outputs/shop/"]) && output.state == tolist(["s3://state-bucket/jobs/shop/", "s3://state-bucket/cache/shop/"]) && output.control == tolist(["s3://state-bucket/control/shop/"])
    error_message = "the project's own prefixes"
  }
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid => s.Resource if startswith(s.Action[0], "s3:") } == {
      Artifacts         = ["arn:aws:s3:::artifacts-bucket/__outputs/shop/*"]
      StateOfPublishes  = ["arn:aws:s3:::artifacts-bucket/.caisson/__outputs~1shop/*", "arn:aws:s3:::artifacts-bucket/.caisson/__outputs~1shop~1*"]
      ListArtifacts     = ["arn:aws:s3:::artifacts-bucket"]
      JobsAndCaches     = ["arn:aws:s3:::state-bucket/jobs/shop/*", "arn:aws:s3:::state-bucket/cache/shop/*"]
      ListJobsAndCaches = ["arn:aws:s3:::state-bucket"]
      Control           = ["arn:aws:s3:::state-bucket/control/shop/*"]
      ListControl       = ["arn:aws:s3:::state-bucket"]
    }
    error_message = "objects beneath the prefixes, and the state of publishes to them"
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.task.policy).Statement : alltrue([for a in s.Action : !strcontains(a, "*")])])
    error_message = "no wildcard in an action"
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid if contains(s.Resource, "*")] == ["RegistryToken"]
    error_message = "only the token of the registry knows no resource"
  }
}

run "nothing_but_a_site" {
  command = plan
  variables {
    artifacts_bucket   = "artifacts-bucket"
    artifacts_prefixes = ["sites/shop/"]
    repository         = ""
    secrets_path       = ""
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid] == ["Artifacts", "StateOfPublishes", "ListArtifacts"]
    error_message = "no images, no secrets"
  }
  assert {
    condition     = output.repository_url == null && output.secrets_path == null
    error_message = "outputs"
  }
}

run "reports" {
  command = plan
  variables {
    topic_arns          = ["arn:aws:sns:eu-central-1:111122223333:events.fifo"]
    queue_arns          = ["arn:aws:sqs:eu-central-1:111122223333:events"]
    event_bus_arns      = ["arn:aws:events:eu-central-1:111122223333:event-bus/default"]
    log_group_names     = ["/caisson/jobs/shop"]
    notify_kms_key_arns = ["arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111"]
    kms_key_arn         = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid => [s.Action, s.Resource] if contains(["Topics", "Queues", "Buses", "LogGroups"], s.Sid) } == {
      Topics    = [["sns:Publish"], ["arn:aws:sns:eu-central-1:111122223333:events.fifo"]]
      Queues    = [["sqs:SendMessage"], ["arn:aws:sqs:eu-central-1:111122223333:events"]]
      Buses     = [["events:PutEvents"], ["arn:aws:events:eu-central-1:111122223333:event-bus/default"]]
      LogGroups = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-central-1:111122223333:log-group:/caisson/jobs/shop:*"]]
    }
    error_message = "what is named, and no more"
  }
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid => s.Condition.StringLike["kms:ViaService"] if startswith(s.Sid, "Key") } == {
      Key                   = ["s3.eu-central-1.amazonaws.com*", "ssm.eu-central-1.amazonaws.com*", "secretsmanager.eu-central-1.amazonaws.com*"]
      KeysOfTopicsAndQueues = ["sns.*.amazonaws.com*", "sqs.*.amazonaws.com*"]
    }
    error_message = "each key through its services only"
  }
}

run "no_requests_to_cancel" {
  command = plan
  variables {
    state_bucket     = "state-bucket"
    control_prefixes = []
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.task.policy, "control") && length(output.control) == 0
    error_message = "no place, no right"
  }
}

run "refused_place_for_requests_where_jobs_write" {
  command = plan
  variables {
    state_bucket     = "state-bucket"
    control_prefixes = ["jobs/shop/control/"]
  }
  expect_failures = [aws_iam_role.task]
}

run "refused_topic_of_another_account" {
  command = plan
  variables {
    topic_arns = ["arn:aws:sns:eu-central-1:999988887777:events"]
  }
  expect_failures = [aws_iam_role.task]
}

run "roles_for_pulling" {
  command = plan
  variables {
    pull_role_arns = ["arn:aws:iam::111122223333:role/ci/pull"]
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.task.policy).Statement : [s.Action, s.Resource] if s.Sid == "PullRoles"] == [[["sts:AssumeRole"], ["arn:aws:iam::111122223333:role/ci/pull"]]]
    error_message = "the named role may be assumed"
  }
}

run "repository_by_terraform" {
  command = plan
  variables {
    repository_created_by       = "terraform"
    repository_lifecycle_policy = "{\"rules\":[]}"
  }

  assert {
    condition     = aws_ecr_repository.application[0].name == "caisson/apps/shop" && length(aws_ecr_lifecycle_policy.application) == 1
    error_message = "the repository and its lifecycle"
  }
  assert {
    condition     = !contains([for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid], "CreateRepositories")
    error_message = "a job creates nothing then"
  }
  assert {
    condition     = aws_ecr_repository.application[0].image_tag_mutability == "MUTABLE" && one(aws_ecr_repository.application[0].image_scanning_configuration).scan_on_push
    error_message = "jobs of existing systems move their tags; images are scanned"
  }
}

run "long_name" {
  command = plan
  variables {
    project = "0190a5c4-7e1f-7c3a-b1b5-2f6f0d9c8e11-preview"
  }

  assert {
    condition     = length(aws_iam_role.task.name) == 64 && startswith(aws_iam_role.task.name, "caisson-project-0190a5c4-7e1f-7c3a-b1b5-2f6f0d9c8e11-pr")
    error_message = "IAM takes 64 characters; a hash keeps names apart"
  }
}

run "refused_project_that_is_no_repository" {
  command = plan
  variables {
    project = "Shop"
  }
  expect_failures = [aws_iam_role.task]
}

run "refused_role_that_can_do_nothing" {
  command = plan
  variables {
    repository   = ""
    secrets_path = ""
  }
  expect_failures = [aws_iam_role.task]
}

run "wildcards" {
  command = plan

  variables {
    project             = "shop*"
    artifacts_bucket    = "*"
    state_bucket        = "*"
    artifacts_prefixes  = ["__outputs/*/"]
    state_prefixes      = ["*"]
    control_prefixes    = ["*"]
    repository          = "*"
    secrets_path        = "*"
    topic_arns          = ["*"]
    queue_arns          = ["arn:aws:sqs:eu-central-1:111122223333:*"]
    event_bus_arns      = ["arn:aws:events:eu-central-1:111122223333:event-bus/*"]
    log_group_names     = ["/caisson/jobs/*"]
    notify_kms_key_arns = ["arn:aws:kms:eu-central-1:111122223333:key/*"]
    pull_role_arns      = ["arn:aws:iam::111122223333:role/ci/*"]
  }

  expect_failures = [
    var.project, var.artifacts_bucket, var.state_bucket, var.artifacts_prefixes, var.state_prefixes, var.repository, var.secrets_path,
    var.control_prefixes, var.topic_arns, var.queue_arns, var.event_bus_arns, var.log_group_names, var.notify_kms_key_arns, var.pull_role_arns,
  ]
}

run "mistakes" {
  command = plan

  variables {
    name                        = "Caisson"
    project                     = "shop/../admin"
    permissions_boundary_arn    = ""
    artifacts_prefixes          = ["__outputs/shop"] # matches __outputs/shop2/ too
    state_prefixes              = [".caisson/"]
    repository_created_by       = "somebody"
    repository_lifecycle_policy = "{}"
    role                        = { name = "a role", path = "/caisson/" }
    kms_key_arn                 = "arn:aws:kms:eu-central-1:111122223333:alias/caisson"
  }

  expect_failures = [
    var.name, var.project, var.permissions_boundary_arn, var.artifacts_prefixes, var.state_prefixes, var.repository_created_by,
    var.repository_lifecycle_policy, var.role, var.kms_key_arn,
  ]
}

run "a_path_that_is_none" {
  command = plan

  variables {
    role = { name = "role", path = "caisson" }
  }

  expect_failures = [var.role]
}

run "a_log_group_of_builders" {
  command = plan

  variables {
    log_group_names = ["/caisson/builders/node"]
  }

  expect_failures = [var.log_group_names]
}

run "the_log_group_of_the_network" {
  command = plan

  variables {
    log_group_names = ["/caisson/flow-logs"]
  }

  expect_failures = [var.log_group_names]
}

# Offline: the provider is asked for its schema only.
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

run "builders_are_immutable_and_scanned" {
  command = plan

  assert {
    condition     = toset([for r in aws_ecr_repository.builder : r.name]) == toset([for b in ["runner", "node", "node-full", "kaniko"] : "caisson/builders/${b}"])
    error_message = "a repository for each builder"
  }
  assert {
    condition = alltrue([
      for r in aws_ecr_repository.builder :
      r.image_tag_mutability == "IMMUTABLE" && one(r.image_scanning_configuration).scan_on_push && one(r.encryption_configuration).encryption_type == "AES256" && !r.force_delete
    ])
    error_message = "immutable, scanned, encrypted, and not removed with images in them"
  }
  assert {
    condition     = alltrue([for p in aws_ecr_lifecycle_policy.builder : [for r in jsondecode(p.policy).rules : r.selection.countNumber] == [60]])
    error_message = "the newest 60 images stay"
  }
  assert {
    condition     = length(aws_ecr_repository_policy.builder) == 0
    error_message = "without other accounts there is no repository policy"
  }
  assert {
    condition     = output.registry == "111122223333.dkr.ecr.eu-central-1.amazonaws.com" && output.application_prefix == "caisson/apps"
    error_message = "outputs"
  }
}

run "template_for_applications" {
  command = plan
  variables {
    untagged_days = 3
    keep_images   = 7
  }

  assert {
    condition     = one(aws_ecr_repository_creation_template.applications).prefix == "caisson/apps"
    error_message = "the template is for applications, and not for builders"
  }
  assert {
    condition = [for r in jsondecode(one(aws_ecr_repository_creation_template.applications).lifecycle_policy).rules : [r.rulePriority, r.selection.tagStatus, r.selection.countNumber]] == [
      [1, "untagged", 3], [2, "any", 7]
    ]
    error_message = "a rule about any tag is the last one: ECR refuses another order"
  }
  assert {
    condition     = output.application_lifecycle_policy == one(aws_ecr_repository_creation_template.applications).lifecycle_policy
    error_message = "the same policy for repositories that are made elsewhere"
  }
  assert {
    condition     = one(aws_ecr_repository_creation_template.applications).applied_for == toset(["PULL_THROUGH_CACHE", "REPLICATION"]) && one(aws_ecr_repository_creation_template.applications).image_tag_mutability == "MUTABLE"
    error_message = "for what ECR makes by itself; jobs of existing systems move their tags"
  }
}

run "no_template" {
  command = plan
  variables {
    creation_template = false
  }

  assert {
    condition     = length(aws_ecr_repository_creation_template.applications) == 0
    error_message = "no template"
  }
}

run "other_accounts_pull_and_no_more" {
  command = plan
  variables {
    builders      = ["node"]
    pull_accounts = ["444455556666"]
    kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition = jsondecode(aws_ecr_repository_policy.builder["node"].policy).Statement == [{
      Sid       = "PullFromOtherAccounts"
      Effect    = "Allow"
      Principal = { AWS = ["arn:aws:iam::444455556666:root"] }
      Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    }]
    error_message = "other accounts pull, and do nothing else"
  }
  assert {
    condition     = one(aws_ecr_repository.builder["node"].encryption_configuration).encryption_type == "KMS"
    error_message = "encrypted with the key"
  }
}

run "mistakes" {
  command = plan

  variables {
    name          = "Caisson"
    builders      = ["Node"]
    pull_accounts = ["*"]
    keep_images   = 0
    untagged_days = 1.5
    kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:alias/caisson"
  }

  expect_failures = [var.name, var.builders, var.pull_accounts, var.keep_images, var.untagged_days, var.kms_key_arn]
}
